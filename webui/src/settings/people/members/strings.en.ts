import { counted } from "../../../core/strings.en";

export const en = {
  members: {
    search: "Search members",
    count: (count: number) => counted(count, "member", "members"),
    none: "No member matches.",
    showAll: "Show all",
    you: "You",
    superUser: "Super User",
    inactive: "Deactivated",
    gone: "Deactivated members",
    goneText: "They cannot sign in. Their names stay with what they wrote.",
    seen: (when: string) => `Last seen ${when}`,
    seenNow: "Seen just now",
    neverSeen: "Never signed in",
    factorOn: "Two-factor on",
    factorOff: "Two-factor off",
    role: (name: string) => `Role of ${name}`,
    saved: "Saved",
    more: (name: string) => `More for ${name}`,
    deactivate: "Deactivate",
    reactivate: "Reactivate",
    resetPassword: "Reset the password",
    resetFactor: "Take away two-factor",
    deactivateTitle: (name: string) => `Deactivate ${name}?`,
    deactivateEnds:
      "Their access ends at once: they are signed out everywhere, and their API tokens are revoked.",
    deactivateReturns: "Conversations assigned to them go back to Unassigned.",
    deactivateKeeps:
      "Their name stays with everything they wrote, and you can reactivate them later.",
    deactivated: (name: string) =>
      `${name} is deactivated. Their conversations go back to Unassigned.`,
    reactivated: (name: string) => `${name} is active again. API tokens they had stay revoked.`,
    factorTitle: (name: string) => `Take away the second factor of ${name}?`,
    factorText:
      "For somebody who has lost theirs. Their password alone signs them in then; they are signed out everywhere and told by mail.",
    factorGo: "Take it away",
    factorDone: (name: string) => `${name} signs in with the password alone now.`,
    superTitle: (name: string) => `Make ${name} a Super User?`,
    superText:
      "A Super User is a member of every organisation, there is and there will be, and may do everything there.",
    superGo: "Make a Super User",
    noSuperTitle: (name: string) => `Make ${name} an ordinary member?`,
    noSuperText:
      "They leave every organisation but this one, with their access there ended at once.",
    noSuperGo: "Make an ordinary member",
    ownTitle: "Change your own role?",
    ownText: (role: string) =>
      `As ${role} you may not manage members: you could not take this back yourself.`,
    ownGo: "Change my role",
    resetTitle: (name: string) => `A new password for ${name}`,
    resetMailed: (email: string) =>
      `A link to choose a new password was mailed to ${email}. It works once, for an hour.`,
    resetLink:
      "This hub sends no mail: hand over this link. It works once, for an hour, and is shown only now.",
    link: "Link",
  },
};
