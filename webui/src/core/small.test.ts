import { describe, expect, it, vi } from "vitest";

import { channel, detail, entry, minutesAgo, row } from "../../tests/world";
import { Cell, CellMap } from "./cell";
import { systemClock } from "./clock";
import {
  isUsable,
  isVoiceOnly,
  addressesIn,
  modeOf,
  openingMode,
  optimisticEntry,
  refuseFile,
  windowOf,
} from "./compose";
import { clockTime, dayLabel, fullTime, longDate, rowTime, spokenTime } from "./dates";
import { describeEvent } from "./events";
import { badgeCount, fileSize, firstName, initials, shortenFileName } from "./names";
import { formatPlace, nameOrganisation, organisationOf, parsePlace } from "./place";
import { isWhole, Rows } from "./rows";
import { byActivity, matches } from "./scope";
import { addressFault } from "./start";
import { merge, outranks } from "./status";
import { parseLook } from "./theme";
import { layOut } from "./timeline";
import type { Entry, EntryStatus } from "./wire";

const zone = { locale: "en-GB", timeZone: "Europe/Berlin" };
const now = Date.parse("2026-11-20T12:00:00Z");

describe("a cell", () => {
  it("tells its listeners of changes only, until they leave", () => {
    const cell = new Cell(1);
    const heard = vi.fn();
    const leave = cell.subscribe(heard);
    cell.set(1);
    cell.set(2);
    cell.update((value) => value + 1);
    leave();
    cell.set(4);
    expect(heard).toHaveBeenCalledTimes(2);
    expect(cell.get()).toBe(4);
  });

  it("is made once per key", () => {
    const cells = new CellMap<string, number>((key) => key.length);
    expect(cells.at("four").get()).toBe(4);
    expect(cells.at("four")).toBe(cells.at("four"));
    expect(cells.keys()).toEqual(["four"]);
  });
});

describe("the system's clock", () => {
  it("runs once, unless called off", () => {
    vi.useFakeTimers();
    const run = vi.fn();
    systemClock.after(10, run);
    systemClock.after(10, run)();
    vi.advanceTimersByTime(20);
    expect(run).toHaveBeenCalledTimes(1);
    expect(systemClock.now()).toBe(Date.now());
    vi.useRealTimers();
  });
});

describe("names", () => {
  it.each([
    ["Omar Haddad", "Omar Haddad", "OH"],
    ["Ana Maria de la Cruz", "", "AC"],
    ["Ångström", "", "Å"],
    [null, "+1 555 0142", "42"],
    [null, "Withheld number", "W"],
    [null, "", "?"],
  ])("%s, %s", (name, display, expected) => {
    expect(initials(name, display)).toBe(expected);
  });

  it("shortens a file's name in its middle", () => {
    expect(shortenFileName("short.pdf")).toBe("short.pdf");
    const shortened = shortenFileName("Agreement final version signed twice.pdf");
    expect([...shortened]).toHaveLength(28);
    expect(shortened).toMatch(/^Agreement.*….*\.pdf$/);
  });

  it("says sizes and counts", () => {
    expect(fileSize(532, "en-GB")).toBe("532 bytes");
    expect(fileSize(1_500, "en-GB")).toBe("1.5 kB");
    expect(fileSize(48_211_200, "en-GB")).toBe("48 MB");
    expect(badgeCount(7)).toBe("7");
    expect(badgeCount(1000)).toBe("999+");
    expect(firstName("Ana Ruiz")).toBe("Ana");
  });
});

describe("times", () => {
  it.each([
    [minutesAgo(0.5), "now", "now"],
    [minutesAgo(3), "3 min", "3 minutes ago"],
    [minutesAgo(150), "10:30", "2 hours ago"],
    [minutesAgo(60 * 30), "Thu", "19 November 2026 at 07:00"],
    [minutesAgo(60 * 24 * 20), "31 Oct", "31 October 2026 at 13:00"],
    [minutesAgo(60 * 24 * 400), "16/10/2025", "16 October 2025 at 14:00"],
  ])("%s in a row", (iso, short, spoken) => {
    expect(rowTime(iso, now, zone)).toBe(short);
    expect(spokenTime(iso, now, zone)).toBe(spoken);
  });

  it("names days in the organisation's zone", () => {
    expect(dayLabel(minutesAgo(5), now, zone)).toBe("Today");
    expect(dayLabel("2026-11-19T22:30:00Z", now, zone)).toBe("Yesterday");
    expect(dayLabel("2026-11-19T23:30:00Z", now, zone)).toBe("Today");
    expect(dayLabel("2026-11-12T10:00:00Z", now, zone)).toBe("Thursday 12 November");
    expect(dayLabel("2025-11-12T10:00:00Z", now, zone)).toBe("Wednesday, 12 November 2025");
  });

  it("writes a moment out", () => {
    expect(clockTime("2026-11-20T16:05:00Z", zone)).toBe("17:05");
    expect(fullTime("2026-11-20T16:05:00Z", zone)).toContain("Friday");
    expect(longDate("2026-11-20T16:05:00Z", zone)).toBe("20 November 2026");
  });
});

describe("the address", () => {
  it.each([
    "/",
    "/messages",
    "/messages?conversation=t1&status=closed&filter=mine&entry=e1",
    "/messages?conversation=t1&call=e1",
    "/messages?range=week&assignee=m1&channel=a&channel=b&own=%2B1555&own=a%40b.example&q=two+words",
    "/messages?range=custom&from=2026-11-01&to=2026-11-20",
    "/messages?range=all",
    "/account",
    "/approvals",
    "/approvals?approval=e1",
    "/settings",
    "/settings/organisation",
    "/settings/channels/front-desk.2",
  ])("%s is read and written the same", (address) => {
    const [path = "", search = ""] = address.split("?");
    expect(formatPlace(parsePlace(path, search))).toBe(address);
  });

  it("names the organisation of who is in several, but for pages that are nobody's", () => {
    nameOrganisation("acme & co");
    try {
      expect(formatPlace({ page: "home" })).toBe("/?org=acme%20%26%20co");
      const address = formatPlace(parsePlace("/messages", "conversation=t1"));
      expect(address).toBe("/messages?conversation=t1&org=acme%20%26%20co");
      expect(organisationOf(address.slice(9))).toBe("acme & co");
      expect(formatPlace({ page: "reset" })).toBe("/reset");
    } finally {
      nameOrganisation(null);
    }
    expect(organisationOf("?org=")).toBeNull();
  });

  it("falls back on what it does not know", () => {
    expect(parsePlace("/messages/", "")).toEqual(parsePlace("/messages", ""));
    expect(parsePlace("/", "")).toEqual({ page: "home" });
    expect(parsePlace("/messages/odd", "")).toEqual({ page: "unknown" });
    expect(parsePlace("/messages", "status=odd&filter=odd")).toEqual({
      page: "messages",
      scope: { status: "open", filter: "all", range: "30d" },
      conversation: null,
      entry: null,
    });
    expect(parsePlace("/messages", "range=custom&from=soon&to=2026-11-31")).toMatchObject({
      scope: { status: "open", filter: "all", range: "custom" },
    });
    expect(parsePlace("/elsewhere", "")).toEqual({ page: "unknown" });
    expect(parsePlace("/settings/a/b/c", "")).toEqual({ page: "unknown" });
    expect(formatPlace({ page: "unknown" })).toBe("/");
  });
});

describe("a scope", () => {
  const NOW = Date.parse("2026-11-20T12:00:00Z");
  const mine = row("t1", { assignee: { id: "m1", name: "", email: "", active: true }, unread: 1 });
  it.each([
    ["open", "all", true],
    ["unread", "all", true],
    ["closed", "all", false],
    ["all", "unread", true],
    ["all", "unassigned", false],
    ["all", "mine", true],
    ["all", "needs_response", false],
  ] as const)("%s and %s", (status, filter, expected) => {
    expect(matches(mine, { status, filter }, "m1", NOW)).toBe(expected);
  });

  it("has what is late, from the moment on at which it was due", () => {
    const due = row("t1", { needs_response: true, reply_due_at: new Date(NOW).toISOString() });
    const late = { status: "all", filter: "late" } as const;
    expect(matches(due, late, "m1", NOW - 1)).toBe(false);
    expect(matches(due, late, "m1", NOW)).toBe(true);
    expect(matches(mine, late, "m1", NOW)).toBe(false);
  });

  it("orders by activity, ties by id", () => {
    const rows = [
      row("a", { sort_at: minutesAgo(2) }),
      row("b", { sort_at: minutesAgo(1) }),
      row("c", { sort_at: minutesAgo(2) }),
    ];
    expect(rows.sort(byActivity).map((each) => each.id)).toEqual(["b", "c", "a"]);
  });

  it("hands out one cell per row, which follows it", () => {
    const rows = new Rows();
    const cell = rows.at("t1");
    expect(cell.get()).toBeNull();
    rows.put(row("t1"), 2);
    expect(rows.put(row("t1", { unread: 9 }), 1)).toBe(false);
    rows.patch("t1", { unread: 3 });
    rows.patch("t2", { unread: 3 });
    expect(cell.get()?.unread).toBe(3);
    expect(rows.all()).toHaveLength(1);
  });

  it("knows a row that cannot be shown", () => {
    expect(isWhole(row("t1"))).toBe(true);
    expect(isWhole(null)).toBe(false);
    expect(isWhole({ id: "t1" } as never)).toBe(false);
  });
});

describe("a status", () => {
  const at = (status: EntryStatus | null, minutes = 5): Entry =>
    entry("e1", "t1", { status, status_at: minutesAgo(minutes) });

  it.each([
    ["delivered", 5, "sent", 4, true],
    ["sent", 5, "delivered", 4, false],
    ["queued", 5, "pending", 4, true],
    ["delivered", 5, "failed", 4, true],
    ["sent", 5, "failed", 4, false],
    ["failed", 5, "pending", 4, false],
    ["failed", 5, "sent", 6, true],
    ["failed", 5, "delivered", 6, false],
    ["unknown", 5, "failed", 4, false],
    ["sent", 5, null, 4, false],
  ] as const)("%s keeps its place before %s", (shown, since, arriving, when, stays) => {
    expect(outranks(at(shown, since), at(arriving, when))).toBe(stays);
  });

  it("never goes back, while everything else is taken over", () => {
    const merged = merge(at("read"), { ...at("sent"), text: "New" });
    expect(merged).toMatchObject({ status: "read", text: "New" });
    expect(merge(at("sent"), at("read")).status).toBe("read");
  });
});

describe("the timeline", () => {
  it("separates days, joins what belongs together, folds events and marks the unread", () => {
    const out = { direction: "out", author: { kind: "member", id: "m1", name: "M" } } as const;
    const days = layOut(
      [
        entry("e1", "t1", { occurred_at: "2026-11-19T10:00:00Z" }),
        entry("e2", "t1", { occurred_at: "2026-11-19T10:02:00Z" }),
        entry("e3", "t1", { occurred_at: "2026-11-19T10:09:00Z" }),
        entry("s1", "t1", { kind: "system", occurred_at: "2026-11-19T10:10:00Z" }),
        entry("s2", "t1", { kind: "system", occurred_at: "2026-11-19T10:10:00Z" }),
        entry("e4", "t1", { occurred_at: "2026-11-19T10:11:00Z", ...out, idempotency_key: "k" }),
        entry("e5", "t1", { occurred_at: "2026-11-20T10:11:00Z" }),
      ],
      "e5",
      zone,
    );
    expect(
      days.map((day) =>
        day.items.map((item) =>
          item.type === "entry"
            ? [item.key, item.joins, item.last]
            : item.type === "events"
              ? item.entries.length
              : item.type,
        ),
      ),
    ).toEqual([
      [["e1", false, false], ["e2", true, true], ["e3", false, true], 2, ["k", false, true]],
      ["unread", ["e5", false, true]],
    ]);
  });

  it("says of each message how it is, where that is not how it is with its neighbours", () => {
    const statuses = ["read", "read", "failed", "sent", "unknown", "canceled", "scheduled", "sent"];
    const [day] = layOut(
      statuses.map((status, at) =>
        entry(`e${String(at)}`, "t1", { direction: "out", status: status as "read" }),
      ),
      null,
      zone,
    );
    const said = day?.items.map((item) => item.type === "entry" && [item.joins, item.last]);
    const alone = [false, true];
    expect(said).toEqual([[false, false], [true, true], ...Array.from({ length: 6 }, () => alone)]);
  });
});

describe("a system event", () => {
  it.each([
    [{ type: "assigned", assignee: "Ana", by: "Mira" }, "Assigned to Ana by Mira"],
    [{ type: "unassigned", by: null }, "Unassigned"],
    [{ type: "closed", by: "Mira" }, "Closed by Mira"],
    [{ type: "reopened" }, "Reopened"],
    [{ type: "needs_response_set" }, "Marked as needing a response"],
    [{ type: "needs_response_cleared" }, "No longer needs a response"],
    [{ type: "opted_out", address: "+1 555" }, "+1 555 opted out"],
    [{ type: "opted_in", address: "+1 555" }, "+1 555 opted in"],
    [{ type: "from the future" }, "Said by the server"],
    [null, "Said by the server"],
  ])("%j", (event, expected) => {
    expect(
      describeEvent(entry("s", "t", { kind: "system", event, text: "Said by the server" })),
    ).toBe(expected);
  });
});

describe("the composer's mode", () => {
  it("is the waiting draft's, else the customer's, else any that can send, else a note", () => {
    const known = detail("t1");
    expect(openingMode(known, "note")).toBe("note");
    expect(openingMode(known, "b")).toBe("b");
    expect(openingMode(known, "gone")).toBe("a");
    expect(openingMode(known, null)).toBe("a");
    expect(openingMode({ ...known, default_channel_id: "b" }, null)).toBe("a");
    expect(openingMode({ ...known, compose: [] }, null)).toBe("note");
    expect(modeOf(known, null)).toBeNull();
    const [a, b] = known.compose;
    if (!a || !b) throw new Error("no modes");
    const template = { ...b, may: "template" as const };
    expect([a, b, template, null].map(isUsable)).toEqual([true, false, true, false]);
    const both = { ...known, compose: [a, template], default_channel_id: "b" };
    expect(openingMode(both, null)).toBe("b");
    expect(openingMode({ ...both, default_channel_id: null }, null)).toBe("a");
    expect(openingMode({ ...both, compose: [template], default_channel_id: null }, null)).toBe("b");
  });

  it("knows who only called", () => {
    const channels = new Map([
      ["a", channel("a")],
      ["v", channel("v", { group: "calls" })],
    ]);
    expect(isVoiceOnly(["v"], channels)).toBe(true);
    expect(isVoiceOnly(["v", "a"], channels)).toBe(false);
    expect(isVoiceOnly([], channels)).toBe(false);
  });

  it("tells how long free replies go on", () => {
    const [mode] = detail("t1").compose;
    if (!mode) throw new Error("no mode");
    const now = Date.parse("2026-11-20T12:00:00Z");
    const until = (time: string) => windowOf({ ...mode, until: `2026-11-${time}Z` }, now);
    expect(until("20T15:11:30")).toEqual({ left: "3 h 12 min", soon: false, over: false });
    expect(until("21T12:00:00")).toEqual({ left: "24 h", soon: false, over: false });
    expect(until("20T12:59:00")).toEqual({ left: "59 min", soon: true, over: false });
    expect(until("20T12:00:00")?.over).toBe(true);
    expect(windowOf(mode, now)).toBeNull();
    expect(windowOf({ ...mode, may: "template", until: minutesAgo(0) }, now)).toBeNull();
  });

  it("reads the addresses of a field that holds several, each once", () => {
    expect(addressesIn(" a@x.org; b@x.org,a@x.org,\n ,")).toEqual(["a@x.org", "b@x.org"]);
    expect(addressesIn("  ")).toEqual([]);
  });

  it("refuses files that the channel does not carry", () => {
    const file = { name: "a.png", size: 10, type: "image/png" };
    expect(refuseFile(file, [], channel("a"))).toBeNull();
    expect(refuseFile({ ...file, type: "application/pdf" }, [], channel("a"))).toBeNull();
    expect(refuseFile(file, [], null)).toMatch(/carries no files/);
    expect(refuseFile(file, [file, file], channel("a"))).toMatch(/at most 2 files/);
    expect(refuseFile({ ...file, size: 2e6 }, [], channel("a"))).toMatch(/larger than the 1 MB/);
    expect(refuseFile({ ...file, type: "video/mp4" }, [], channel("a"))).toMatch(/type/);
    const little = { ...channel("a"), media_max_total: 1e6 };
    expect(refuseFile({ ...file, size: 6e5 }, [{ size: 5e5 }], little)).toMatch(/in one message/);
    expect(refuseFile(file, [{ size: 5e5 }], little)).toBeNull();
  });

  it("makes the entry that stands in until the real one is here", () => {
    const sent = {
      key: "k",
      thread: "t1",
      mode: "a",
      author: { id: "m1", name: "Mira" },
      text: "Hi",
      subject: null,
      address: null,
      own: null,
      attachments: [],
      cc: [],
      bcc: [],
      reply: null,
      channel: null,
      gated: false,
      at: minutesAgo(0),
    };
    expect(optimisticEntry(sent)).toMatchObject({ direction: "out", status: "pending" });
    expect(optimisticEntry({ ...sent, gated: true }).status).toBe("pending_approval");
    expect(optimisticEntry({ ...sent, mode: "note" })).toMatchObject({
      kind: "note",
      direction: "internal",
      status: null,
      channel_id: null,
    });
  });
});

describe("an address for a new conversation", () => {
  it.each([
    ["", "phone", false],
    ["+1 (555) 010-0142", "phone", true],
    ["call me", "phone", false],
    ["a@example.com", "email", true],
    ["a@", "email", false],
    ["anything", "other", true],
  ])("%s as %s", (written, scheme, good) => {
    expect(addressFault(written, scheme) === null).toBe(good);
  });
});

describe("the look", () => {
  it("is what was stored, as far as it makes sense", () => {
    const unset = { theme: "green", mode: null, compact: false };
    const chosen = { theme: "sky", mode: "dark", compact: true };
    expect(parseLook(JSON.stringify(chosen))).toEqual(chosen);
    expect(parseLook('{"theme":"mauve","mode":"dim","compact":1}')).toEqual(unset);
    expect(parseLook("not json")).toEqual(unset);
    expect(parseLook(null)).toEqual(unset);
  });
});
