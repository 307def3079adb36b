import { Cell } from "./core/cell";
import { browserStorage } from "./platform";

const KEY = "hub.send-by";

/** Whether Enter begins a new line on this browser, and Ctrl or ⌘ with Enter sends. */
export const sendsByMod = new Cell(browserStorage.get(KEY) === "mod");

export function sendByMod(on: boolean): void {
  sendsByMod.set(on);
  if (on) browserStorage.set(KEY, "mod");
  else browserStorage.remove(KEY);
}
