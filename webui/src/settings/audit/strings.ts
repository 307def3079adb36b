import { t as everywhere } from "../strings";
import { en } from "./strings.en";

/** Every word this section shows: what only it says is fetched with it. */
export const t = { ...everywhere, ...en };
