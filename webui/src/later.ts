/**
 * What first paint does not need. Fetched when the page is idle, so that opening it is instant and
 * it is there when the network is not.
 */
export const later = {
  opened: () => import("./inbox/opened"),
  menu: () => import("./ui/Menu.svelte"),
  rowActions: () => import("./inbox/RowActions.svelte"),
  noRows: () => import("./inbox/noRows"),
  moreFilters: () => import("./inbox/MoreFilters.svelte"),
  dateChoice: () => import("./inbox/DateChoice.svelte"),
  newConversation: () => import("./inbox/NewConversation.svelte"),
  home: () => import("./shell/Home.svelte"),
  dialogs: () => import("./inbox/dialogs"),
  templatePane: () => import("./inbox/TemplatePane.svelte"),
  lightbox: () => import("./inbox/Lightbox.svelte"),
  mentions: () => import("./inbox/Mentions.svelte"),
  helps: () => import("./shell/helps"),
  alerting: () => import("./alerting"),
};

/** Pages and dialogs that few people open: each is fetched when somebody goes there. */
export const pages = {
  newPassword: () => import("./account/NewPassword.svelte"),
  phoneDialog: () => import("./account/PhoneDialog.svelte"),
  approvals: () => import("./approvals/ApprovalsPage.svelte"),
  deliveries: () => import("./settings/DeliveriesPage.svelte"),
  settings: () => import("./settings/SettingsPage.svelte"),
  account: () => import("./account/AccountPage.svelte"),
  forgot: () => import("./account/ForgotPage.svelte"),
  secondStep: () => import("./account/SecondStep.svelte"),
  passkeyButton: () => import("./account/PasskeyButton.svelte"),
  factor: () => import("./account/FactorPage.svelte"),
  join: () => import("./account/JoinPage.svelte"),
  reset: () => import("./account/ResetPage.svelte"),
};
