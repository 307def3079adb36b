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
