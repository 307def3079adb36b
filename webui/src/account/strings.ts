import { t as everywhere } from "../core/strings";
import { en } from "./strings.en";

/** Every word these pages show: what only they say is fetched with them. */
export const t = {
  ...everywhere,
  ...en,
  newPassword: { ...everywhere.newPassword, ...en.newPassword },
};
