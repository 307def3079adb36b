import { describe, expect, it } from "vitest";

import { bindings, chord, Keyboard, type Press, type Where } from "./keys";

function press(key: string, change: Partial<Press> = {}): Press {
  const code = /^[a-z]$/i.test(key) ? `Key${key.toUpperCase()}` : key;
  return { key, code, ctrlKey: false, metaKey: false, altKey: false, shiftKey: false, ...change };
}

const here: Where[] = ["list", "anywhere", "thread"];

describe("keys", () => {
  it("are the character typed, or the physical key where no Latin letter is typed", () => {
    expect(chord(press("j"))).toBe("j");
    expect(chord(press("о", { code: "KeyJ" }))).toBe("j");
    expect(chord(press("?", { code: "Slash", shiftKey: true }))).toBe("?");
    expect(chord(press("F6", { shiftKey: true }))).toBe("Shift+F6");
    expect(chord(press("ArrowUp", { altKey: true }))).toBe("Alt+ArrowUp");
    expect(chord(press("Enter", { metaKey: true }))).toBe("Mod+Enter");
  });

  it("mean what the table says, where the focus is", () => {
    const keyboard = new Keyboard(() => 0);
    expect(keyboard.read(press("j"), here)).toEqual({ command: "next", at: 0 });
    expect(keyboard.read(press("End"), here)).toEqual({ command: "last", at: 0 });
    expect(keyboard.read(press("End"), ["thread", "list"])).toEqual({ command: "newest", at: 0 });
    expect(keyboard.read(press("3"), here)).toEqual({ command: "mode", at: 2 });
    expect(keyboard.read(press("j"), [])).toBeNull();
    expect(keyboard.read(press("q"), here)).toBeNull();
    expect(keyboard.read(press("j", { ctrlKey: true }), here)).toBeNull();
  });

  it("are the same with Caps Lock, and on layouts without Latin letters everywhere", () => {
    expect(chord(press("J"))).toBe("j");
    expect(chord(press("j", { shiftKey: true }))).toBe("J");
    expect(chord(press("О", { code: "KeyJ", shiftKey: true }))).toBe("J");
    expect(chord(press("х", { code: "BracketLeft" }))).toBe("[");
    expect(chord(press("؟", { code: "Slash", shiftKey: true }))).toBe("?");
    expect(chord(press("٣", { code: "Digit3" }))).toBe("3");
    expect(chord(press("л", { code: "KeyK", ctrlKey: true }))).toBe("Mod+k");
    expect(chord(press("é", { code: "Backquote" }))).toBe("é");
    expect(chord(press(" ", { code: "Space" }))).toBe("Space");
  });

  it("mean nothing where nobody carries them out", () => {
    const keyboard = new Keyboard(
      () => 0,
      (command) => command === "reject",
    );
    expect(keyboard.read(press("x"), ["list", "approvals"])).toEqual({ command: "reject", at: 0 });
    expect(keyboard.read(press("j"), here)).toBeNull();
  });

  it("that type something else elsewhere can be switched off, the others cannot", () => {
    const keyboard = new Keyboard(
      () => 0,
      () => true,
      () => false,
    );
    expect(keyboard.read(press("j"), here)).toBeNull();
    expect(keyboard.read(press("?"), here)).toBeNull();
    expect(keyboard.read(press("g"), here)).toBeNull();
    expect(keyboard.read(press("s"), here)).toBeNull();
    expect(keyboard.read(press("ArrowDown"), here)?.command).toBe("next");
    expect(keyboard.read(press("k", { metaKey: true }), here)?.command).toBe("palette");
    expect(keyboard.read(press("F6"), here)?.command).toBe("nextColumn");
  });

  it("know a sequence, within a second", () => {
    let now = 0;
    const keyboard = new Keyboard(() => now);
    expect(keyboard.read(press("g"), here)).toBeNull();
    expect(keyboard.read(press("i"), here)).toEqual({ command: "inbox", at: 0 });
    expect(keyboard.read(press("g"), here)).toBeNull();
    now = 2_000;
    expect(keyboard.read(press("i"), here)).toEqual({ command: "assignMe", at: 0 });
  });

  it("stand in the table once for each place", () => {
    const seen = bindings.flatMap((each) => each.keys.map((keys) => `${each.where} ${keys}`));
    expect(new Set(seen).size).toBe(seen.length);
  });
});
