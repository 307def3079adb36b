/**
 * What first paint does not need. Fetched when the page is idle, so that opening it is instant and
 * it is there when the network is not.
 */
export const later = {
  menu: () => import("./ui/Menu.svelte"),
  newConversation: () => import("./inbox/NewConversation.svelte"),
  lightbox: () => import("./inbox/Lightbox.svelte"),
  resolveDialog: () => import("./inbox/ResolveDialog.svelte"),
  shortcutSheet: () => import("./shell/ShortcutSheet.svelte"),
  newPassword: () => import("./account/NewPassword.svelte"),
};

/** Pages that few people open: each is fetched when somebody goes there. */
export const pages = {
  deliveries: () => import("./settings/DeliveriesPage.svelte"),
};
