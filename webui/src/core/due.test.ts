import { describe, expect, it } from "vitest";

import { dueIn } from "./due";

const now = Date.parse("2026-11-20T12:00:00Z");
const at = (minutes: number) => new Date(now + minutes * 60_000).toISOString();

describe("how long an answer has", () => {
  it.each([
    [25, false, "25 min left"],
    [0.5, false, "Due now"],
    [0, true, "Late"],
    [-0.5, true, "Late"],
    [-10, true, "10 min late"],
    [90, false, "1 h 30 min left"],
    [-120, true, "2 h late"],
    [47 * 60, false, "47 h left"],
    [-3 * 24 * 60 - 5, true, "3 d late"],
  ])("%s minutes", (minutes, late, text) => {
    expect(dueIn(at(minutes), now)).toEqual({ late, text });
  });

  it("is nothing where no answer is due", () => {
    expect(dueIn(null, now)).toBeNull();
    expect(dueIn(undefined, now)).toBeNull();
  });
});
