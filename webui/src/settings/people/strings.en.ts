export const en = {
  people: {
    loading: "Loading",
    loadFailed: (why: string) => `This could not be loaded. ${why}`,
    failed: (why: string) => `Not done. ${why}`,
    copy: "Copy",
    copied: "Copied",
    copyFailed: "It could not be copied. Select it and copy it by hand.",
    done: "Done",
    kept: "This role keeps it: somebody has to be able to put things right.",
    roleGone: "Role deleted",
    notYours: "You do not have this right yourself, so you cannot give it.",
  },
  capability: {
    "messages.view": "See conversations",
    "messages.send": "Send messages",
    "messages.send_gated": "Send with approval",
    "messages.approve": "Approve messages",
    "channels.manage": "Manage channels",
    "members.manage": "Manage members",
    "settings.manage": "Change settings",
    "audit.view": "Read the audit log",
  },
  capabilityText: {
    "messages.view": "Read messages, write notes, assign, label and close.",
    "messages.send": "Messages go out at once, and calls can be made.",
    "messages.send_gated":
      "Messages wait until somebody approves them. With 'Send messages' as well they go out at once.",
    "messages.approve": "See the approval queue; approve, change or reject what waits in it.",
    "channels.manage": "Pause and resume channels, look at what arrived and take it in again.",
    "members.manage": "Invite and deactivate members, change roles, revoke everybody's tokens.",
    "settings.manage":
      "Business hours, quiet hours, consent, approvals and the rest of the settings.",
    "audit.view": "See and export who changed what, and when.",
  },
};
