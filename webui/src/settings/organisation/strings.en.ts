import { counted } from "../../core/strings.en";

export const en = {
  organisation: {
    facts: "The organisation",
    factsText:
      "These stand in hub.toml, below [[organisations]]. Whoever runs the hub changes them there and applies them with hub reload.",
    name: "Name",
    slug: "Name in addresses",
    zone: "Time zone",
  },
  hours: {
    title: "Business hours",
    text: (zone: string) =>
      `When somebody is there, by the clocks of ${zone}. Channels that answer by themselves, such as calls, are told by it whether anybody can take over.`,
    day: {
      monday: "Monday",
      tuesday: "Tuesday",
      wednesday: "Wednesday",
      thursday: "Thursday",
      friday: "Friday",
      saturday: "Saturday",
      sunday: "Sunday",
    },
    open: { closed: "Closed", always: "All day", hours: "Hours" },
    opens: (day: string, at: number) => `${day}: opens, ${String(at)}`,
    closes: (day: string, at: number) => `${day}: closes, ${String(at)}`,
    until: "to",
    remove: (day: string, at: number) => `${day}: remove hours ${String(at)}`,
    add: "Add hours",
    addOn: (day: string) => `${day}: add hours`,
    copy: "Same from Tuesday to Friday",
    need: "Enter when it opens and when it closes.",
  },
  holidays: {
    title: "Holidays",
    text: "Days on which nobody is there, whatever the weekday.",
    list: "Holidays",
    none: "There are none yet.",
    date: "Date",
    name: "Name",
    add: "Add holiday",
    need: "Choose a date.",
    twice: "That day stands there already.",
    dateOf: (name: string) => `Date of ${name}`,
    nameOf: (date: string) => `Name of ${date}`,
    remove: (name: string) => `Remove ${name}`,
    unnamed: "Holiday",
  },
  quiet: {
    title: "Every night",
    text: "What the hub would send by itself in these hours waits until they are over. They go by the contact's time zone where that is known.",
    on: "Keep quiet hours",
    start: "From",
    end: "Until",
    endHelp: (zone: string) =>
      `An end that is earlier than the beginning is on the next day. Where the contact's time zone is not known: ${zone}.`,
    need: "Enter a time.",
  },
  consent: {
    words: "Words that opt out and in",
    wordsText:
      "What counts is a message that says one of these words and nothing else. STOP, START and HELP count always.",
    languages: "Languages",
    languagesHelp: "The usual words of these languages count as well.",
    stop: "More words that opt out",
    start: "More words that opt in again",
    help: "More words that ask for help",
    separated: "Separate words with commas. Capitals make no difference.",
    tooMany: (most: number) => `At most ${counted(most, "word", "words")}.`,
    tooLongWord: (word: string, most: number) =>
      `“${word}” is longer than ${counted(most, "character", "characters")}.`,
    yes: "YES opts in as well",
    yesHelp: "Only of somebody who has opted out; of everybody else it is an answer.",
    answers: "Answers",
    answersText:
      "What the hub answers where the provider does not answer by itself. Left empty, nothing is sent.",
    stopAnswer: "After opting out",
    startAnswer: "After opting in again",
    helpAnswer: "When asked for help",
    tooLong: (length: number, most: number) =>
      `${String(length)} characters; at most ${String(most)} fit.`,
  },
  approvals: {
    title: "Whose messages wait",
    text: "People's messages wait by their own rights: who may only write messages that somebody else approves has that from their role. Here you decide on what no person sends.",
    source: { api: "Programs with an API token" },
    help: {
      api: "Whatever the token may: what it sends is put into the approval queue first.",
    },
  },
  letters: {
    title: "Signature of the organisation",
    text: "It stands below the signature that each member may have of their own, under “Your account”.",
    signature: "Signature",
    help: "For example name, address and what the law asks for. Empty: none.",
    tooLong: (most: number) => `At most ${String(most)} characters fit.`,
    preview: "How it looks",
    words: "The words of the message.",
    member: "The member’s own signature",
  },
  signIn: {
    title: "Second factor",
    text: "A code from an app or a passkey besides the password, so that a stolen password opens nothing.",
    require: "Require two-factor sign-in",
    requireHelp:
      "Who has none is led to setting it up with their next click, and can do nothing else here until then. Nothing that comes in is lost meanwhile, and API tokens go on.",
    own: "You have no second factor yourself. You set it up right after switching this on.",
    ownLink: "Set it up now",
  },
};
