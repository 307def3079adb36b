import { describe, expect, it, vi } from "vitest";

import { MemoryStorage, row } from "../../tests/world";
import { keyFrom, monthOf, monthStart, weeksOf } from "./calendar";
import { dayKey, dayStart, shortDay } from "./dates";
import { pieces, piecesNear } from "./marks";
import { allTime, narrowings } from "./narrowings";
import {
  boundsOf,
  dayOf,
  daysOf,
  isoDay,
  lastDays,
  rangeLabel,
  rememberRange,
  unbound,
  weekStart,
  withRememberedRange,
} from "./range";
import { defaultScope, isFiltered, matches, queryOf, sameScope, withoutSearch } from "./scope";
import type { Scope } from "./wire";

const berlin = { locale: "en-GB", timeZone: "Europe/Berlin" };
const auckland = { locale: "en-GB", timeZone: "Pacific/Auckland" };
const NOW = Date.parse("2026-11-20T12:00:00Z"); // a Friday
const all: Scope = { status: "all", filter: "all" };
const custom = (from?: string, to?: string): Scope => ({
  ...all,
  range: "custom",
  ...(from === undefined ? {} : { from }),
  ...(to === undefined ? {} : { to }),
});

describe("days", () => {
  it("begin at midnight in their zone, also where the clocks are changed", () => {
    const starts = (day: string, zone = berlin) =>
      new Date(dayStart(dayOf(day) ?? 0, zone)).toISOString();
    expect(starts("2026-11-20")).toBe("2026-11-19T23:00:00.000Z");
    expect(starts("2026-03-29")).toBe("2026-03-28T23:00:00.000Z");
    expect(starts("2026-03-30")).toBe("2026-03-29T22:00:00.000Z");
    expect(starts("2026-10-25")).toBe("2026-10-24T22:00:00.000Z");
    expect(starts("2026-10-26")).toBe("2026-10-25T23:00:00.000Z");
    expect(starts("2026-11-21", auckland)).toBe("2026-11-20T11:00:00.000Z");
    for (const zone of [berlin, auckland]) {
      const day = dayKey(new Date(NOW).toISOString(), zone);
      const iso = (at: number) => dayKey(new Date(at).toISOString(), zone);
      expect([iso(dayStart(day, zone)), iso(dayStart(day, zone) - 1)]).toEqual([day, day - 1]);
    }
  });

  it("are read only as they are written", () => {
    expect(isoDay(dayOf("2026-02-28") ?? 0)).toBe("2026-02-28");
    for (const odd of [undefined, "", "2026-02-29", "tomorrow", "2026-2-1"])
      expect(dayOf(odd)).toBeNull();
  });

  it("are named, with the year where it is another one", () => {
    const today = dayOf("2026-11-20") ?? 0;
    expect(shortDay(today - 1, today, berlin)).toBe("19 Nov");
    expect(shortDay(today - 365, today, berlin)).toBe("20 Nov 2025");
  });
});

describe("a range", () => {
  const today = dayOf("2026-11-20") ?? 0;
  it.each([
    [{ ...all }, null, null],
    [{ ...all, range: "all" }, null, null],
    [{ ...all, range: "today" }, "2026-11-20", null],
    [{ ...all, range: "week" }, "2026-11-16", null],
    [{ ...all, range: "month" }, "2026-11-01", null],
    [{ ...all, range: "30d" }, "2026-10-22", null],
    [custom("2026-11-01", "2026-11-10"), "2026-11-01", "2026-11-10"],
    [custom("2026-11-01", "2026-11-20"), "2026-11-01", null],
    [custom("2026-11-01"), "2026-11-01", null],
    [custom(undefined, "2026-11-10"), null, "2026-11-10"],
  ] as [Scope, string | null, string | null][])("%j", (scope, first, last) => {
    const days = daysOf(scope, today, 1);
    const said = [days.first, days.last].map((day) => (day === null ? null : isoDay(day)));
    expect(said).toEqual([first, last]);
  });

  it("begins weeks as the reader's place does", () => {
    expect(isoDay(daysOf({ ...all, range: "week" }, today, 7).first ?? 0)).toBe("2026-11-15");
    expect(isoDay(daysOf({ ...all, range: "week" }, today, 5).first ?? 0)).toBe("2026-11-20");
    expect([weekStart("en-US"), weekStart("de-DE"), weekStart("not a locale")]).toEqual([7, 1, 1]);
    expect(weekStart(undefined)).toBeGreaterThan(0);
    // Browsers that do not know.
    const plain = vi.spyOn(Intl, "Locale").mockImplementation(function () {
      return {} as Intl.Locale;
    });
    expect(weekStart("en-US")).toBe(1);
    plain.mockRestore();
  });

  it("is between moments of the organisation's days", () => {
    expect(boundsOf(all, NOW, berlin)).toEqual(unbound);
    const { since, until } = boundsOf(custom("2026-11-01", "2026-11-10"), NOW, berlin);
    expect(new Date(since ?? 0).toISOString()).toBe("2026-10-31T23:00:00.000Z");
    expect(new Date(until ?? 0).toISOString()).toBe("2026-11-10T23:00:00.000Z");
    expect(boundsOf({ ...all, range: "today" }, NOW, auckland)).toEqual({
      since: Date.parse("2026-11-20T11:00:00Z"),
      until: null,
    });
    expect(boundsOf(custom(undefined, "2026-11-10"), NOW, berlin).since).toBeNull();
  });

  it("reads in words", () => {
    const say = (scope: Scope) => rangeLabel(scope, NOW, berlin);
    expect(say(all)).toBe("All time");
    expect(say({ ...all, range: "week" })).toBe("This week");
    expect(say(custom())).toBe("All time");
    expect(say(custom("2026-11-01"))).toBe("Since 1 Nov");
    expect(say(custom(undefined, "2026-11-01"))).toBe("Until 1 Nov");
    expect(say(custom("2026-11-01", "2026-11-01"))).toBe("1 Nov");
    expect(say(custom("2025-11-01", "2026-11-02"))).toBe("1 Nov 2025 – 2 Nov");
  });

  it("is remembered in the browser, and so are the days of the last custom one", () => {
    const storage = new MemoryStorage();
    expect(withRememberedRange(storage, defaultScope)).toBe(defaultScope);
    expect(lastDays(storage)).toEqual({});
    rememberRange(storage, custom("2026-11-01", "2026-11-10"));
    const kept = { ...defaultScope, range: "custom", from: "2026-11-01", to: "2026-11-10" };
    expect(withRememberedRange(storage, defaultScope)).toEqual(kept);
    rememberRange(storage, all);
    expect(withRememberedRange(storage, defaultScope)).toEqual({ ...defaultScope, range: "all" });
    expect(lastDays(storage)).toEqual({ from: "2026-11-01", to: "2026-11-10" });
    rememberRange(storage, custom());
    expect(lastDays(storage)).toEqual({});
    for (const odd of ["{", "7", '["never", 3]']) {
      storage.set("hub.range.days", odd);
      expect(lastDays(storage)).toEqual({});
    }
    storage.set("hub.range", "forever");
    expect(withRememberedRange(storage, defaultScope)).toBe(defaultScope);
  });
});

describe("a narrowed scope", () => {
  const scope: Scope = {
    ...custom("2026-11-01", "2026-11-10"),
    status: "open",
    filter: "mine",
    assignee: "m2",
    channels: ["a", "b"],
    own: ["+1"],
  };

  it("is asked for by what narrows it", () => {
    expect(queryOf(scope)).toEqual({
      status: "open",
      filter: "mine",
      range: "custom",
      from: "2026-11-01",
      to: "2026-11-10",
      assignee: "m2",
      channel: ["a", "b"],
      own_address: ["+1"],
    });
    expect(queryOf({ ...all, range: "week" }, 7)).toEqual({ ...all, range: "week", week_start: 7 });
    expect(queryOf({ ...all, range: "all", own: [], channels: [] })).toEqual(all);
    expect(queryOf({ ...scope, q: "saddle" })).toEqual({ ...all, q: "saddle" });
    expect(sameScope({ ...scope }, scope)).toBe(true);
    expect(sameScope(all, { ...all, range: "all" })).toBe(true);
    expect(sameScope(all, defaultScope)).toBe(false);
  });

  it("is filtered by anything but its tab and its dates", () => {
    expect(isFiltered(custom("2026-11-01"))).toBe(false);
    expect(isFiltered({ ...all, own: [], channels: [] })).toBe(false);
    for (const more of [{ filter: "mine" as const }, { assignee: "m" }, { own: ["+1"] }])
      expect(isFiltered({ ...all, ...more })).toBe(true);
    expect(isFiltered({ ...all, channels: ["a"] })).toBe(true);
  });

  it("can be had without each of what narrows it", () => {
    const found = narrowings(scope);
    expect(found.map(({ of, value }) => `${of} ${value}`)).toEqual([
      "filter mine",
      "assignee m2",
      "channel a",
      "channel b",
      "own +1",
      "status open",
      "range custom",
    ]);
    let rest = scope;
    while (narrowings(rest).length > 0) rest = narrowings(rest)[0]?.without ?? all;
    expect(queryOf(rest)).toEqual(all);
    expect(narrowings(all)).toEqual([]);
    expect(allTime(scope)).not.toHaveProperty("from");
    const searched = { ...scope, q: "saddle" };
    expect(narrowings(searched)).toEqual([{ of: "q", value: "saddle", without: scope }]);
    expect(withoutSearch(searched)).toEqual(scope);
  });

  it("has rows, has them not, or only the server knows", () => {
    const bounds = { since: NOW - 1000, until: NOW };
    const at = (ms: number, change = {}) =>
      row("t1", { active_at: new Date(ms).toISOString(), ...change });
    const fits = (scope: Scope, ...rows: ReturnType<typeof at>[]) =>
      rows.map((each) => matches(each, scope, "m1", NOW, bounds));
    expect(fits(all, at(NOW - 1001), at(NOW - 1000), at(NOW - 1), at(NOW))).toEqual([
      false,
      true,
      true,
      null,
    ]);
    expect(fits({ ...all, own: ["+1"] }, at(NOW - 1), at(NOW - 1001))).toEqual([null, false]);
    expect(fits({ ...all, channels: ["b"] }, at(NOW - 1))).toEqual([false]);
    expect(fits({ ...all, channels: ["b", "a"] }, at(NOW - 1))).toEqual([true]);
    const theirs = { assignee: { id: "m2", name: "", email: "", active: true } };
    expect(fits({ ...all, assignee: "m2" }, at(NOW - 1), at(NOW - 1, theirs))).toEqual([
      false,
      true,
    ]);
  });
});

describe("a calendar", () => {
  const day = (iso: string) => dayOf(iso) ?? 0;

  it("has six whole weeks of a month", () => {
    const month = monthOf(day("2026-11-20"));
    expect(isoDay(monthStart(month))).toBe("2026-11-01");
    const weeks = weeksOf(month, 1);
    expect(weeks.map((days) => days.length)).toEqual([7, 7, 7, 7, 7, 7]);
    expect(isoDay(weeks[0]?.[0] ?? 0)).toBe("2026-10-26");
    expect(isoDay(weeksOf(month, 7)[0]?.[0] ?? 0)).toBe("2026-11-01");
    expect(isoDay(monthStart(monthOf(day("2027-01-05")) - 1))).toBe("2026-12-01");
  });

  it.each([
    ["ArrowLeft", "2026-11-19"],
    ["ArrowRight", "2026-11-21"],
    ["ArrowUp", "2026-11-13"],
    ["ArrowDown", "2026-11-27"],
    ["Home", "2026-11-16"],
    ["End", "2026-11-22"],
    ["PageUp", "2026-10-20"],
    ["PageDown", "2026-12-20"],
  ])("%s leads to %s", (key, to) => {
    expect(isoDay(keyFrom(key, day("2026-11-20"), 1) ?? 0)).toBe(to);
  });

  it("leads to the last day of a shorter month, and nowhere by other keys", () => {
    expect(isoDay(keyFrom("PageUp", day("2026-03-31"), 1) ?? 0)).toBe("2026-02-28");
    expect(keyFrom("x", 1, 1)).toBeNull();
    expect(isoDay(keyFrom("Home", day("2026-11-20"), 7) ?? 0)).toBe("2026-11-15");
  });
});

describe("what was found", () => {
  it.each([
    ["We have looked at the boiler and more", 22, "…looked at the [boiler] and more"],
    ["the boiler", 4, "the [boiler]"],
    ["boiler", 0, "[boiler]"],
    [`${"a".repeat(40)}boiler`, 40, "…[boiler]"],
    ["nothing of it", -1, "nothing of it"],
    ["", -1, ""],
  ])("shows %s from a few words before", (text, from, shown) => {
    const near = piecesNear(text, from < 0 ? [] : [[from, from + 6]]);
    expect(near.map((each) => (each.found ? `[${each.text}]` : each.text)).join("")).toBe(shown);
  });

  it("is marked in its text", () => {
    expect(pieces("the saddle was", [[4, 10]])).toEqual([
      { text: "the ", found: false },
      { text: "saddle", found: true },
      { text: " was", found: false },
    ]);
    expect(pieces("saddle", [[0, 6]])).toEqual([{ text: "saddle", found: true }]);
    expect(pieces("saddle", [])).toEqual([{ text: "saddle", found: false }]);
    expect(pieces("ab", [[1, 1]])).toEqual([
      { text: "a", found: false },
      { text: "b", found: false },
    ]);
  });
});
