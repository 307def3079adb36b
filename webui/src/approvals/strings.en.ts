import { counted } from "../core/strings.en";

function ago(seconds: number): string {
  if (seconds < 60) return `${String(Math.max(0, seconds))} s ago`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${String(minutes)} min ago`;
  const hours = Math.floor(minutes / 60);
  return hours < 48
    ? `${String(hours)} h ago`
    : `${counted(Math.floor(hours / 24), "day", "days")} ago`;
}

export const en = {
  approvals: {
    text: "Messages that wait until somebody approves them.",
    list: "Messages that wait, the longest first",
    loading: "Loading what waits",
    failed: (why: string) => `What waits could not be loaded. ${why}`,
    more: "Load more",
    none: "Nothing waits for approval.",
    noneText: "A new message shows here at once.",
    choose: "Choose a message to read it.",
    region: "Message",
    back: "Back to the list",
    to: (who: string) => `To ${who}`,
    from: (who: string) => `From ${who}`,
    own: "Yours",
    gone: "no longer a member",
    since: (when: string) => `Waiting since ${when}`,
    conversation: "Open the conversation",
    before: "What came before",
    beforeFailed: "The conversation could not be loaded.",
    nothingBefore: "This begins the conversation.",
    proposed: "Proposed message",
    subject: "Subject",
    edit: "Edit",
    undo: "Undo changes",
    changes: "Changes",
    approve: "Approve and send",
    approveChanged: "Send as changed",
    approveTitle: "Ctrl or ⌘ and Enter",
    reject: "Reject",
    rejectNow: "Reject the message",
    reason: "Why? Its author reads this.",
    reasons: ["Check the facts first", "Please change the tone", "Not needed any more"],
    needReason: "Say why, so that its author knows.",
    left: (count: number) => `${counted(count, "character", "characters")} left`,
    cancel: "Cancel",
    problem: (detail: string) => `It cannot be sent now: ${detail}`,
    cannot: "Cannot be sent",
    ownText: "You wrote this, so somebody else decides on it.",
    template: "A template has its own text, which cannot be changed.",
    next: "Next message",
    decided: {
      approved: (by: string, seconds: number) => `${by} approved this ${ago(seconds)}`,
      rejected: (by: string, seconds: number) => `${by} rejected this ${ago(seconds)}`,
      withdrawn: (by: string, seconds: number) => `${by} withdrew this ${ago(seconds)}`,
      waiting: () => "",
    },
    done: {
      approve: (who: string) => `Approved, and on its way to ${who}`,
      reject: (who: string) => `Rejected: the message to ${who} is not sent`,
      withdraw: (who: string) => `Withdrawn: the message to ${who} is not sent`,
    },
    notDone: (why: string) => `Not done: ${why}`,
  },
};
