import { counted } from "../../../core/strings.en";

export const en = {
  roles: {
    make: "New role",
    count: (count: number) => counted(count, "role", "roles"),
    all: "All roles",
    ready: "Ready-made",
    members: (count: number) => (count === 0 ? "Nobody" : counted(count, "member", "members")),
    everything: "May do everything",
    nothing: "May do nothing yet",
    some: (count: number) => `Only ${counted(count, "channel", "channels")}`,
    name: "Name",
    needName: "Give the role a name.",
    may: "What they may do",
    mayHelp: "Holds at once, for everybody who has the role.",
    sees: "Channels",
    numbers: (channel: string) => `Single numbers of ${channel}`,
    only: (number: string) => `Only ${number}`,
    seesHelp:
      "Of a conversation they see only what came over these channels, or these numbers of a channel.",
    seesAll: "All channels, also those to come",
    seesSome: "Only these",
    keptChannels: "This role sees every channel.",
    goneChannel: (id: string) => `${id} (no longer there)`,
    unseen: "You do not see this channel yourself, so you cannot give it.",
    needChannel: "Choose at least one channel or number, or all channels.",
    create: "Make the role",
    creating: "Making",
    made: (name: string) => `The role ${name} is there. Give it to members on the page Members.`,
    who: "Who has it",
    nobody: "No member has this role.",
    superWho:
      "A Super User may do everything, in every organisation. Only a Super User makes another one.",
    delete: "Delete the role",
    deleteTitle: (name: string) => `Delete ${name}?`,
    deleteText: "No member has it. Invitations with this role work no more.",
    cannotDelete: "This role is always there: it cannot be deleted.",
    inUse: (count: number, names: string) =>
      count === 1
        ? `${names} has this role.`
        : `${counted(count, "member", "members")} have this role: ${names}.`,
    inUseThen: "You choose which role they get in its place.",
    andMore: (names: string, more: number) => `${names} and ${String(more)} more`,
    instead: "Give them instead",
    deleteGo: "Delete",
    deleted: (name: string) => `The role ${name} is deleted.`,
    gone: "There is no such role",
    goneText: "It may have been deleted meanwhile.",
  },
};
