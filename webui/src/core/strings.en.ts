const plural = new Intl.PluralRules("en");
const number = new Intl.NumberFormat("en");

export function counted(count: number, one: string, other: string): string {
  return `${number.format(count)} ${plural.select(count) === "one" ? one : other}`;
}

function inSeconds(seconds: number): string {
  return seconds < 90
    ? `in ${counted(seconds, "second", "seconds")}`
    : `in ${counted(Math.ceil(seconds / 60), "minute", "minutes")}`;
}

export const en = {
  product: "Channel Hub",
  separator: " · ",
  action: {
    retry: "Retry",
    tryAgain: "Try again",
    cancel: "Cancel",
    close: "Close",
    dismiss: "Dismiss",
    remove: (name: string) => `Remove ${name}`,
  },
  time: {
    now: "now",
    minutes: (minutes: number) => `${String(minutes)} min`,
    lasts: (hours: number, minutes: number) =>
      [hours > 0 ? `${String(hours)} h` : "", minutes > 0 ? `${String(minutes)} min` : ""]
        .filter(Boolean)
        .join(" "),
    days: (days: number) => `${String(days)} d`,
    today: "Today",
    yesterday: "Yesterday",
  },
  due: {
    left: (lasts: string) => `${lasts} left`,
    soon: "Due now",
    late: (lasts: string) => `${lasts} late`,
    now: "Late",
    spoken: (text: string) => `answer: ${text}`,
  },
  top: {
    available: "Available for new conversations",
    deliveries: "Deliveries",
    approvals: "Approval Queue",
    approvalsShort: "Approvals",
    inbox: "Inbox",
    settings: "Settings",
    waiting: (count: number) => `${counted(count, "message waits", "messages wait")} for approval`,
    main: "Main",
    messages: "Messages",
    unread: (count: number) =>
      `${counted(count, "conversation", "conversations")} with unread messages`,
    page: (page: string, house: string) => `${page} · ${house}`,
    organisation: (name: string) => `Organisation: ${name}`,
    title: (count: number, page: string) => (count > 0 ? `(${String(count)}) ${page}` : page),
    pageOf: (page: string, channel: string) => `${page}: ${channel}`,
    newWindow: "opens in a new tab",
    themes: "Colour theme",
    theme: { green: "Green", sky: "Sky Blue", gray: "Gray", coral: "Coral/Plum" },
    toDark: "Switch to dark mode",
    toLight: "Switch to light mode",
    person: (name: string) => `Account of ${name}`,
    shortcuts: "Keyboard shortcuts",
    account: "Your account",
    phone: "Your phone number",
    signOut: "Sign out",
    reconnecting: "Reconnecting",
  },
  approved: {
    approved: (by: string, who: string) => `${by} approved your message to ${who}`,
    rejected: (by: string, who: string, reason: string) =>
      `${by} rejected your message to ${who}: ${reason}`,
  },
  banner: {
    text: "Real-time updates paused — refresh the page to reload the latest conversations.",
    retry: "Retry now",
    back: (changes: number) => `Back in step: ${counted(changes, "change", "changes")}`,
  },
  signIn: {
    title: "Sign in",
    again: "Your session has ended",
    againText: "Sign in to go on. What you were writing is kept.",
    email: "Email",
    password: "Password",
    show: "Show password",
    hide: "Hide password",
    submit: "Sign in",
    working: "Signing in",
    wrong: "The email or the password is not right.",
    late: "That took too long. Sign in again.",
    forgot: "Forgot your password?",
    refused: {
      refused: "You did not sign in there.",
      unverified: "The provider has not verified your email address.",
      domain: "Your email address is not let in here.",
      unknown: "You have no account here. Ask your admin to invite you.",
      late: "That took too long. Sign in again.",
    } as Readonly<Record<string, string>>,
    failed: "That did not work. Try again, or tell your admin.",
    needEmail: "Enter your email address.",
    needPassword: "Enter your password.",
  },
  newPassword: {
    title: "Choose a new password",
  },
  problem: {
    unreachable: "The server cannot be reached.",
    unexpected: "Something unexpected went wrong.",
    signedOut: "Your session has ended.",
    forbidden: "You do not have the right to do this.",
    gone: "It is no longer there.",
    tooLarge: "It is too large.",
    tooMany: (seconds: number | null) =>
      seconds === null
        ? "Too many attempts."
        : `Too many attempts. Try again ${inSeconds(seconds)}.`,
    server: (status: number) => `The server answered with an error (${String(status)}).`,
    starting: "Channel Hub cannot be reached",
    page: "This page could not be loaded",
    pageText: "The server cannot be reached, or it was updated since you opened Channel Hub.",
  },
  home: {
    title: (name: string) => `Hello, ${name}`,
    noOrganisation: "You do not belong to an organisation yet.",
    askAdmin: "Whoever invited you can add you to one.",
  },
  notFound: {
    title: "There is no page here",
    text: "The address may be misspelled, or the page may have moved.",
    back: "Go to Messages",
  },
  filters: {
    title: "Filters",
    open: "Show filters",
    all: "All",
    unread: "Unread",
    unassigned: "Unassigned",
    mine: "Mine",
    needs_response: "Needs response",
    late: "Late",
  },
  range: {
    all: "All time",
    today: "Today",
    week: "This week",
    month: "This month",
    "30d": "Last 30 days",
    custom: "Custom…",
    since: (day: string) => `Since ${day}`,
    until: (day: string) => `Until ${day}`,
    between: (first: string, last: string) => `${first} – ${last}`,
    showing: "Showing:",
    first: "Showing the last 30 days. Change it under Date.",
    understood: "Hide this note",
  },
  search: {
    label: "Search conversations",
    placeholder: "Search",
    clear: "Clear the search",
    hint: "Search looks through all dates and every status.",
    results: "Search results",
    found: (count: number, more: boolean) =>
      `${counted(count, "conversation", "conversations")}${more ? " or more" : ""} found`,
  },
  status: {
    title: "Status",
    open: "Open",
    unread: "Unread",
    closed: "Closed",
    all: "All",
    outbound_only: "Outbound only",
  },
  list: {
    region: "Conversations",
    title: "Messages",
    subtitle: "Customer conversations",
    label: "Conversations, newest first",
    width: "Conversations width",
    filtersWidth: "Filters width",
    detailsWidth: "Details width",
    start: "New conversation",
    you: "You:",
    colleague: (firstName: string) => `${firstName}:`,
    note: "Note:",
    draft: "Draft",
    failed: "Failed",
    unknown: "Not confirmed",
    needsResponse: "Needs response",
    outboundOnly: "Outbound only",
    assignedTo: (name: string) => `Assigned to ${name}`,
    unreadCount: (count: number) => counted(count, "unread message", "unread messages"),
    unread: (count: number) => `${String(count)} unread`,
    newRows: (count: number) => `${String(count)} new`,
    loading: "Loading conversations",
    loadMore: "Load more",
    loadingMore: "Loading more",
    failedLoad: "Conversations could not be loaded.",
    failedMore: "More could not be loaded.",
    left: {
      moved: "Its call was moved",
      closed: "Closed",
      closedBy: (name: string) => `Closed by ${name}`,
      reopened: "Reopened",
      reopenedBy: (name: string) => `Reopened by ${name}`,
      read: "Read",
      answered: "No longer needs a response",
      unassigned: "No longer assigned",
      yours: "Assigned to you",
      assigned: (name: string) => `Assigned to ${name}`,
    },
  },
  thread: {
    region: "Conversation",
    loading: "Loading conversation",
    waiting: (count: number) =>
      `${counted(count, "conversation waits", "conversations wait")} unread.`,
    noneWaiting: "Nothing waits unread.",
    announced: (who: string, text: string) => `New message from ${who}: ${text}`,
  },
  details: {
    region: "Details",
  },
  composer: {
    notSentTo: (who: string, reason: string) => `The message to ${who} was not sent: ${reason}`,
    files: {
      list: "Attached files",
      none: "This channel carries no files.",
      tooMany: (most: number) => `One message carries at most ${counted(most, "file", "files")}.`,
      tooLarge: (name: string, most: number) =>
        `${name} is larger than the ${String(Math.floor(most / 1_000_000))} MB this channel carries.`,
      tooMuch: (name: string, most: number) =>
        `With ${name} the files are larger than the ${String(Math.floor(most / 1_000_000))} MB this channel carries in one message.`,
      lyingType: (type: string) => `The file is ${type}, which this channel does not carry`,
      wrongType: (name: string) => `${name} is of a type this channel does not carry.`,
    },
  },
  toasts: { region: "Notices" },
  undone: {
    assign: { failed: (reason: string) => `The assignee was not changed. ${reason}` },
    close: { failed: (reason: string) => `The conversation was not closed. ${reason}` },
    reopen: { failed: (reason: string) => `The conversation was not reopened. ${reason}` },
    needsResponse: { failed: (reason: string) => `Needs response was not changed. ${reason}` },
    available: { failed: (reason: string) => `Your availability was not changed. ${reason}` },
    unread: { failed: (reason: string) => `The conversation was not marked unread. ${reason}` },
    entry: {
      cancel: (reason: string) => `The message was not canceled. ${reason}`,
      withdraw: (reason: string) => `The message was not withdrawn. ${reason}`,
      retry: (reason: string) => `The message was not sent again. ${reason}`,
      sent: (reason: string) => `The message was not marked as sent. ${reason}`,
      failed: (reason: string) => `The message was not marked as failed. ${reason}`,
      resolved: (reason: string) => `The call was not marked as resolved. ${reason}`,
    },
  },
  keys: {
    help: "All shortcuts",
    palette: "Search all there is to do",
    next: "Next conversation",
    open: "Into the conversation",
  },
};
