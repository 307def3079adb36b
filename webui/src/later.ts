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
  phoneDialog: () => import("./account/PhoneDialog.svelte"),
  alerting: () => import("./alerting"),
};
