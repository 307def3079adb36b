import { describe, expect, it } from "vitest";

import { actionWords, differences, worded } from "./difference";

const words = { empty: "nothing", yes: "yes", no: "no" };

describe("the difference of two states", () => {
  it("names the fields that differ, and no other", () => {
    const was = { name: "Desk", capabilities: ["a"], channels: null };
    const is = { name: "Front desk", capabilities: ["a"], channels: ["sms"] };
    expect(differences(was, is)).toEqual([
      { field: "name", before: "Desk", after: "Front desk" },
      { field: "channels", before: null, after: ["sms"] },
    ]);
  });

  it("goes into sections, and not into what has a name", () => {
    const was = { hours: { monday: { open: true } }, role: { id: "1", name: "A" } };
    const is = { hours: { monday: { open: false } }, role: { id: "2", name: "B" } };
    expect(differences(was, is)).toEqual([
      { field: "hours.monday.open", before: true, after: false },
      { field: "role", before: { id: "1", name: "A" }, after: { id: "2", name: "B" } },
    ]);
  });

  it("says what came and what went", () => {
    expect(differences(null, { name: "A" })).toEqual([{ field: "name", before: null, after: "A" }]);
    expect(differences({ name: "A" }, null)).toEqual([{ field: "name", before: "A", after: null }]);
    expect(differences("open", "closed")).toEqual([{ field: "", before: "open", after: "closed" }]);
    expect(differences(null, undefined)).toEqual([]);
    const deep = { a: { b: { c: { d: 1 } } } };
    expect(differences(null, deep)).toEqual([{ field: "a.b.c", before: null, after: { d: 1 } }]);
  });

  it("is put into words", () => {
    const said: [unknown, string][] = [
      [null, "nothing"],
      ["", "nothing"],
      [[], "nothing"],
      [true, "yes"],
      [false, "no"],
      [7, "7"],
      [["a", "b"], "a, b"],
      [{ id: "1", name: "Ben" }, "Ben"],
      [{ d: 1 }, '{"d":1}'],
    ];
    for (const [value, text] of said) expect(worded(value, words)).toBe(text);
  });
});

it("an action without words of ours is told by its own", () => {
  expect(actionWords("audit.taken_along")).toBe("Audit taken along");
});
