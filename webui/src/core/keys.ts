import { t } from "./strings";

/** Where a key works. `list` and `thread` keys work with the focus there or nowhere. */
export type Where = "anywhere" | "list" | "thread" | "composer";

export type Command =
  | "help"
  | "inbox"
  | "filters"
  | "details"
  | "nextColumn"
  | "previousColumn"
  | "close"
  | "next"
  | "previous"
  | "open"
  | "toggleClosed"
  | "toggleRead"
  | "assign"
  | "assignMe"
  | "needsResponse"
  | "first"
  | "last"
  | "pageDown"
  | "pageUp"
  | "reply"
  | "note"
  | "mode"
  | "entryUp"
  | "entryDown"
  | "earlier"
  | "newest"
  | "send"
  | "line"
  | "sendAlways"
  | "modes"
  | "leaveField";

export interface Binding {
  readonly command: Command;
  readonly where: Where;
  /** Each way to press it; a space is a sequence. "Mod" is Ctrl or Command. */
  readonly keys: readonly string[];
  readonly says: string;
}

const k = t.keys;

/** The one table: the handlers and the sheet are made from it. */
export const bindings: readonly Binding[] = [
  { command: "help", where: "anywhere", keys: ["?"], says: k.help },
  { command: "inbox", where: "anywhere", keys: ["g i"], says: k.inbox },
  { command: "filters", where: "anywhere", keys: ["["], says: k.filters },
  { command: "details", where: "anywhere", keys: ["]"], says: k.details },
  { command: "nextColumn", where: "anywhere", keys: ["F6"], says: k.nextColumn },
  { command: "previousColumn", where: "anywhere", keys: ["Shift+F6"], says: k.previousColumn },
  { command: "close", where: "anywhere", keys: ["Escape"], says: k.close },
  { command: "next", where: "list", keys: ["j", "ArrowDown"], says: k.next },
  { command: "previous", where: "list", keys: ["k", "ArrowUp"], says: k.previous },
  { command: "open", where: "list", keys: ["Enter", "o"], says: k.open },
  { command: "toggleClosed", where: "list", keys: ["e"], says: k.toggleClosed },
  { command: "toggleRead", where: "list", keys: ["u"], says: k.toggleRead },
  { command: "assign", where: "list", keys: ["a"], says: k.assign },
  { command: "assignMe", where: "list", keys: ["i"], says: k.assignMe },
  { command: "needsResponse", where: "list", keys: ["n"], says: k.needsResponse },
  { command: "first", where: "list", keys: ["Home"], says: k.first },
  { command: "last", where: "list", keys: ["End"], says: k.last },
  { command: "pageDown", where: "list", keys: ["PageDown"], says: k.pageDown },
  { command: "pageUp", where: "list", keys: ["PageUp"], says: k.pageUp },
  { command: "reply", where: "thread", keys: ["r"], says: k.reply },
  { command: "note", where: "thread", keys: ["m"], says: k.note },
  {
    command: "mode",
    where: "thread",
    keys: ["1", "2", "3", "4", "5", "6", "7", "8", "9"],
    says: k.mode,
  },
  { command: "entryUp", where: "thread", keys: ["Alt+ArrowUp"], says: k.entryUp },
  { command: "entryDown", where: "thread", keys: ["Alt+ArrowDown"], says: k.entryDown },
  { command: "earlier", where: "thread", keys: ["b"], says: k.earlier },
  { command: "newest", where: "thread", keys: ["End"], says: k.newest },
  { command: "send", where: "composer", keys: ["Enter"], says: k.send },
  { command: "line", where: "composer", keys: ["Shift+Enter"], says: k.line },
  { command: "sendAlways", where: "composer", keys: ["Mod+Enter"], says: k.sendAlways },
  { command: "modes", where: "composer", keys: ["Shift+Tab"], says: k.modes },
  { command: "leaveField", where: "composer", keys: ["Escape"], says: k.leaveField },
];

export interface Press {
  key: string;
  code: string;
  ctrlKey: boolean;
  metaKey: boolean;
  altKey: boolean;
  shiftKey: boolean;
}

/**
 * How a press is written in the table: the character typed, or on a layout that types no Latin
 * letters, the letter printed at that place of the keyboard.
 */
export function chord(press: Press): string {
  let key = press.key;
  const letter = /^Key([A-Z])$/.exec(press.code)?.[1];
  if (letter && !/^[\x20-\x7e]$/.test(key) && [...key].length === 1) key = letter.toLowerCase();
  const printable = [...key].length === 1;
  return [
    press.ctrlKey || press.metaKey ? "Mod" : "",
    press.altKey ? "Alt" : "",
    press.shiftKey && !printable ? "Shift" : "",
    key,
  ]
    .filter(Boolean)
    .join("+");
}

const SEQUENCE_WITHIN = 1_000;

/** Finds what a press means where the focus is, and remembers the start of a sequence. */
export class Keyboard {
  #prefix = "";
  #prefixAt = -Infinity;

  constructor(private readonly now: () => number) {}

  /** The command of a press, and which of its keys it was; `null` when it means nothing here. */
  read(press: Press, places: readonly Where[]): { command: Command; at: number } | null {
    const pressed = chord(press);
    const sequence =
      this.now() - this.#prefixAt <= SEQUENCE_WITHIN ? `${this.#prefix} ${pressed}` : null;
    this.#prefix = "";
    this.#prefixAt = -Infinity;
    for (const keys of sequence === null ? [pressed] : [sequence, pressed]) {
      for (const place of places) {
        for (const binding of bindings) {
          const at = binding.where === place ? binding.keys.indexOf(keys) : -1;
          if (at >= 0) return { command: binding.command, at };
        }
      }
    }
    if (bindings.some((each) => each.keys.some((keys) => keys.startsWith(`${pressed} `)))) {
      this.#prefix = pressed;
      this.#prefixAt = this.now();
    }
    return null;
  }
}
