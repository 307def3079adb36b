import { t as everywhere } from "../core/words";
import { en } from "./strings.en";

/** Every word these pages show: what only they say is fetched with them. */
export const t = { ...everywhere, ...en, settings: { ...everywhere.settings, ...en.settings } };
