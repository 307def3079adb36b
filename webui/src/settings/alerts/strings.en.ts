export const en = {
  alerts: {
    device: "Show notifications on this device",
    deviceHelp: "While you look at something else. Your browser asks once whether it may.",
    refused:
      "This browser may not show notifications of this page. Allow them in its settings first.",
    obstacles: {
      insecure: "Browsers show notifications only of pages that are loaded by https.",
      homeScreen:
        "Add this page to your home screen first (Share, then Add to Home Screen), and open it from there.",
      unable: "This browser cannot do this.",
    },
    closed: "Also when the hub is closed",
    closedHelp:
      "The push service of your browser's maker brings them, encrypted so that it cannot read them. It ends when you are signed out here: a day after you last used the hub.",
    closedFirst: "Switch on notifications on this device first.",
    closedUnknown: (why: string) => `Whether it is on could not be read. ${why}`,
    closedNotOn: (why: string) => `It could not be switched on. ${why}`,
    closedNotOff: (why: string) => `It could not be switched off. ${why}`,
    noService:
      "The push service of this browser could not be reached, or the browser does not allow it.",
    text: "Notifications show what was written",
    textHelp: "Also where others may read them. Otherwise they say only who it is from.",
    what: "Alert me of",
    kinds: {
      text: "Messages",
      email: "Emails",
      call: "Calls",
      voicemail: "Voicemails",
      assignment: "Conversations assigned to me",
      mention: "Notes that mention me",
      sending: "Messages that were not sent",
      channel: "Channels that need attention",
    },
    whose: "In which conversations",
    of: { all: "All of them", own: "Mine, and those that nobody has" },
    sound: "Play a sound",
    quiet: "Quiet hours",
    quietHelp: "No sound and no notifications then. Alerts inside this page are still shown.",
    start: "From",
    end: "Until",
    zone: "Time zone",
  },
};
