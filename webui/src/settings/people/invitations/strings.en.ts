export const en = {
  invitations: {
    invite: "Invite somebody",
    email: "Email",
    needEmail: "Enter an email address.",
    name: "Name",
    nameHint: "They can change it when they accept. May be left empty.",
    role: "Role",
    submit: "Invite",
    sending: "Inviting",
    mailed: (email: string) =>
      `The invitation was mailed to ${email}. Its link works once, for seven days.`,
    handOver: (email: string) =>
      `This hub sends no mail: hand this link to ${email}. It works once, for seven days, and is shown only now.`,
    link: "Link",
    pending: "Waiting to be accepted",
    none: "Nobody is invited at the moment.",
    expires: (when: string) => `Expires ${when}`,
    expired: (when: string) => `Expired ${when}`,
    sendAgain: "Send again",
    newLink: "New link",
    sendAgainTo: (email: string) => `Send the invitation to ${email} again`,
    newLinkFor: (email: string) => `A new link for ${email}`,
    revoke: "Revoke",
    revokeOf: (email: string) => `Revoke the invitation of ${email}`,
    revoked: (email: string) => `The invitation of ${email} is revoked. Its link works no more.`,
    noRole: "The role was deleted: revoke this, and invite them anew.",
  },
};
