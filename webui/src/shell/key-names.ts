import { t } from "../core/words";

const mac = navigator.userAgent.includes("Mac");

function named(key: string): string {
  if (key === "Mod" && mac) return t.keys.names["ModMac"] ?? key;
  return t.keys.names[key] ?? key;
}

/** What is written on the keys of a press, one after another. */
export function keyNames(press: string): string[] {
  return press.split(/[ +]/).map(named);
}
