import { en } from "./strings.en";

/** Every word the pages show, in the language chosen. */
export const t = en;
