/** Where a key works. `list` and `thread` keys work with the focus there or nowhere. */
export type Where = "anywhere" | "list" | "thread" | "composer" | "approvals";

export type Command =
  | "help"
  | "palette"
  | "start"
  | "inbox"
  | "approvals"
  | "settings"
  | "search"
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
  | "entryMenu"
  | "copyLink"
  | "fullMessage"
  | "play"
  | "send"
  | "line"
  | "sendAlways"
  | "modes"
  | "leaveField"
  | "rowDown"
  | "rowUp"
  | "approve"
  | "edit"
  | "reject";

export interface Binding {
  readonly command: Command;
  readonly where: Where;
  /**
   * Each way to press it; a space is a sequence, "Space" the bar. "Mod" is Ctrl or Command. What has
   * none is found in the palette alone.
   */
  readonly keys: readonly string[];
}

/** The one table: the handlers and the sheet are made from it. */
export const bindings: readonly Binding[] = [
  { command: "help", where: "anywhere", keys: ["?"] },
  { command: "palette", where: "anywhere", keys: ["Mod+k"] },
  { command: "start", where: "anywhere", keys: [] },
  { command: "inbox", where: "anywhere", keys: ["g i"] },
  { command: "approvals", where: "anywhere", keys: ["g a"] },
  { command: "settings", where: "anywhere", keys: ["g s"] },
  { command: "search", where: "anywhere", keys: ["/"] },
  { command: "filters", where: "anywhere", keys: ["["] },
  { command: "details", where: "anywhere", keys: ["]"] },
  { command: "nextColumn", where: "anywhere", keys: ["F6"] },
  { command: "previousColumn", where: "anywhere", keys: ["Shift+F6"] },
  { command: "close", where: "anywhere", keys: ["Escape"] },
  { command: "next", where: "list", keys: ["j", "ArrowDown"] },
  { command: "previous", where: "list", keys: ["k", "ArrowUp"] },
  { command: "open", where: "list", keys: ["Enter", "o"] },
  { command: "toggleClosed", where: "list", keys: ["e"] },
  { command: "toggleRead", where: "list", keys: ["u"] },
  { command: "assign", where: "list", keys: ["a"] },
  { command: "assignMe", where: "list", keys: ["i"] },
  { command: "needsResponse", where: "list", keys: ["n"] },
  { command: "first", where: "list", keys: ["Home"] },
  { command: "last", where: "list", keys: ["End"] },
  { command: "pageDown", where: "list", keys: ["PageDown"] },
  { command: "pageUp", where: "list", keys: ["PageUp"] },
  { command: "reply", where: "thread", keys: ["r"] },
  { command: "note", where: "thread", keys: ["m"] },
  {
    command: "mode",
    where: "thread",
    keys: ["1", "2", "3", "4", "5", "6", "7", "8", "9"],
  },
  { command: "entryUp", where: "thread", keys: ["Alt+ArrowUp"] },
  { command: "entryDown", where: "thread", keys: ["Alt+ArrowDown"] },
  { command: "entryMenu", where: "thread", keys: ["."] },
  { command: "copyLink", where: "thread", keys: ["y"] },
  { command: "fullMessage", where: "thread", keys: ["v"] },
  { command: "play", where: "thread", keys: ["Space"] },
  { command: "earlier", where: "thread", keys: ["b"] },
  { command: "newest", where: "thread", keys: ["End"] },
  { command: "send", where: "composer", keys: ["Enter"] },
  { command: "line", where: "composer", keys: ["Shift+Enter"] },
  { command: "sendAlways", where: "composer", keys: ["Mod+Enter"] },
  { command: "modes", where: "composer", keys: ["Shift+Tab"] },
  { command: "leaveField", where: "composer", keys: ["Escape"] },
  { command: "rowDown", where: "approvals", keys: ["j"] },
  { command: "rowUp", where: "approvals", keys: ["k"] },
  { command: "approve", where: "approvals", keys: ["a"] },
  { command: "edit", where: "approvals", keys: ["e"] },
  { command: "reject", where: "approvals", keys: ["x"] },
];

export interface Press {
  key: string;
  code: string;
  ctrlKey: boolean;
  metaKey: boolean;
  altKey: boolean;
  shiftKey: boolean;
}

/** What stands at places of the keyboard that no letter has, without and with Shift. */
const signs: Readonly<Record<string, readonly [string, string]>> = {
  BracketLeft: ["[", "{"],
  BracketRight: ["]", "}"],
  Period: [".", ">"],
  Slash: ["/", "?"],
};

/** The character of a place of the keyboard, as a Latin layout types it. */
function latin({ code, shiftKey }: Press): string | undefined {
  const letter = /^Key([A-Z])$/.exec(code)?.[1];
  if (letter) return shiftKey ? letter : letter.toLowerCase();
  return /^Digit(\d)$/.exec(code)?.[1] ?? signs[code]?.[shiftKey ? 1 : 0];
}

/**
 * How a press is written in the table: the character typed, or on a layout that types no Latin
 * letters, what is printed at that place of the keyboard. Caps Lock changes nothing.
 */
export function chord(press: Press): string {
  let key = press.key === " " ? "Space" : press.key;
  const one = [...key].length === 1;
  if (one && !/^[\x20-\x7e]$/.test(key)) key = latin(press) ?? key;
  else if (/^[a-z]$/i.test(key)) key = press.shiftKey ? key.toUpperCase() : key.toLowerCase();
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

/** Whether it is typed as text elsewhere: a single character, or several one after another. */
export function isSingle(keys: string): boolean {
  return keys.split(" ").every((key) => [...key].length === 1);
}

const SEQUENCE_WITHIN = 1_000;

/** Finds what a press means where the focus is, and remembers the start of a sequence. */
export class Keyboard {
  #prefix = "";
  #prefixAt = -Infinity;

  constructor(
    private readonly now: () => number,
    /** Whether somebody carries a command out here and now. */
    private readonly handled: (command: Command) => boolean = () => true,
    /** Whether keys that type something elsewhere are commands. */
    private readonly singles: () => boolean = () => true,
  ) {}

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
          if (at < 0 || !this.handled(binding.command)) continue;
          if (this.singles() || !isSingle(keys)) return { command: binding.command, at };
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
