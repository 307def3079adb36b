import { t as everywhere } from "./strings";
import { en } from "./words.en";

/** Every word of what is fetched after first paint: what only it says is fetched with it. */
export const t = {
  ...everywhere,
  ...en,
  composer: { ...everywhere.composer, ...en.composer },
  details: { ...everywhere.details, ...en.details },
  home: { ...everywhere.home, ...en.home },
  keys: { ...everywhere.keys, ...en.keys },
  thread: { ...everywhere.thread, ...en.thread },
};
