/** Pages that few people open, and steps of signing in: each is fetched when somebody goes there. */
export const pages = {
  newPassword: () => import("./account/NewPassword.svelte"),
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
