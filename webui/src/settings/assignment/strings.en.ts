import { counted } from "../../core/strings.en";

export const en = {
  assignment: {
    title: "Automatic assignment",
    text: "A new conversation, or one that is nobody’s, goes to a member who is available: everybody says so in the menu with their own picture. With nobody available it stays unassigned.",
    mode: "How",
    modeHelp: "The least busy is who has the fewest open conversations.",
    modes: {
      off: "Off",
      round_robin: "In turn",
      least_busy: "To the least busy",
    },
    members: "Who takes part",
    membersHelp: "Whoever is chosen still needs a role that sees the channel and may write on it.",
    everybody: "Everybody who may answer",
    chosen: "Only these members",
    needOne: "Choose at least one member, or everybody.",
    now: (there: number) =>
      there === 0
        ? "Nobody is available now."
        : `${counted(there, "member is", "members are")} available now.`,
    available: "Available",
    away: "Away",
    channels: "Channels",
    channelsText: "A channel can go its own way.",
    asAbove: "As above",
    modeOf: (channel: string) => `How conversations of ${channel} are assigned`,
    membersOf: (channel: string) => `Who takes part on ${channel}`,
  },
  targets: {
    title: "Target",
    text: "Counted in the hours in which somebody is there, from the first message that waits. The list shows how much time is left, then how late it is.",
    on: "Use a reply-time target",
    minutes: "Minutes until an answer",
    minutesHelp: "From 1 minute to 20,160 (two weeks).",
    needNumber: "Enter a whole number from 1 to 20,160.",
    hours: "The hours are set under Organisation.",
  },
};
