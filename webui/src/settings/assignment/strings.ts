import { t as everywhere } from "../strings";
import { en } from "./strings.en";

/** Every word these sections show: what only they say is fetched with them. */
export const t = { ...everywhere, ...en };
