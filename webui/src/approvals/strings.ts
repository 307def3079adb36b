import { t as everywhere } from "../core/words";
import { en } from "./strings.en";

/** Every word this page shows: what only it says is fetched with it. */
export const t = { ...everywhere, ...en };
