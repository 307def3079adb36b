import { describe, expect, it } from "vitest";

import { detail, entry, later, minutesAgo, page, settled } from "../../tests/world";
import type { Read } from "./http";
import { Refused } from "./problem";
import { Thread, WINDOW } from "./thread";
import type { Entry, EntryPage, ThreadDetail } from "./wire";

type Answer = Read<EntryPage> | Promise<Read<EntryPage>> | Error;

function make(...answers: Answer[]) {
  const asked: object[] = [];
  let known: Read<ThreadDetail> | Error = { data: detail("t1"), position: 10 };
  const thread = new Thread("t1", {
    detail: () => (known instanceof Error ? Promise.reject(known) : Promise.resolve(known)),
    entries: (_, kind, at) => {
      asked.push({ kind, ...at });
      const next = answers.shift() ?? new Error("no page left");
      return next instanceof Error ? Promise.reject(next) : Promise.resolve(next);
    },
  });
  return {
    thread,
    asked,
    knows: (next: ThreadDetail | Error) => {
      known = next instanceof Error ? next : { data: next, position: 10 };
    },
    ids: () => thread.entries.get().map((each) => each.id),
  };
}

const read = (data: EntryPage, position = 10): Read<EntryPage> => ({ data, position });
/** Entries of a long conversation, by number. */
const some = (from: number, to: number): Entry[] =>
  Array.from({ length: to - from }, (_, n) =>
    entry(`e${String(from + n).padStart(5, "0")}`, "t1", {
      occurred_at: new Date(Date.parse("2026-01-01") + (from + n) * 60_000).toISOString(),
    }),
  );

describe("a conversation", () => {
  it("opens at the newest, and reads earlier and later by cursor", async () => {
    const { thread, asked, ids } = make(
      read(page(some(50, 100), "e00050")),
      read(page(some(0, 50), null)),
    );
    await thread.open();
    expect(thread.state.get()).toBe("ready");
    expect(thread.earlier.get()).toBe("some");
    await thread.loadEarlier();
    expect(ids()).toHaveLength(100);
    expect(thread.earlier.get()).toBe("none");
    await thread.loadEarlier();
    await thread.loadLater();
    expect(asked).toEqual([{ kind: "all" }, { kind: "all", before: "e00050" }]);
  });

  it("never holds more than 300 entries: the far end is let go, and can be had again", async () => {
    const pages = [7, 6, 5, 4, 3, 2, 1].map((n) =>
      read(page(some(n * 50, n * 50 + 50), `e${String(n * 50).padStart(5, "0")}`)),
    );
    const { thread, asked, ids } = make(
      ...pages,
      read(page(some(350, 400), null, null)),
      read(page(some(350, 400), "e00350", null)),
    );
    await thread.open();
    for (let n = 0; n < 6; n += 1) await thread.loadEarlier();
    expect(ids()).toHaveLength(WINDOW);
    expect(thread.later.get()).toBe("some");
    expect(thread.newest()).toBeNull();
    await thread.loadLater();
    expect(asked.at(-1)).toEqual({ kind: "all", after: "e00349" });
    expect(ids().at(0)).toBe("e00100");
    expect(thread.earlier.get()).toBe("some");
    expect(thread.newest()?.id).toBe("e00399");
    await thread.jumpToNewest();
    expect(ids()).toHaveLength(50);
  });

  it("says when a page cannot be had, and keeps what is here", async () => {
    const down = new Refused(503, null, null);
    const { thread, ids, knows } = make(
      read(page(some(50, 100), "e00050", "e00099")),
      down,
      down,
      down,
    );
    await thread.open();
    await thread.loadEarlier();
    expect(thread.earlier.get()).toBe("failed");
    await thread.loadLater();
    expect(thread.later.get()).toBe("failed");
    thread.markStale();
    knows(down);
    await thread.open();
    expect(thread.problem.get()).toContain("503");
    expect(ids()).toHaveLength(50);
  });

  it("says when what is known of it besides cannot be had, whatever came of its entries", async () => {
    const { thread, knows, asked } = make(read(page(some(0, 3))));
    knows(new Refused(503, null, null));
    await thread.open();
    expect(thread.state.get()).toBe("ready");
    expect(thread.detailProblem.get()).toContain("503");
    expect([thread.problem.get(), thread.failed]).toEqual([null, true]);
    knows(detail("t1"));
    await thread.open();
    expect(thread.detail.get()?.id).toBe("t1");
    expect(thread.failed).toBe(false);
    expect(asked).toHaveLength(1);
  });

  it("says when it is gone", async () => {
    const { thread, knows } = make(new Refused(404, null, null));
    knows(new Refused(404, null, null));
    await thread.open();
    expect(thread.state.get()).toBe("gone");
  });

  it("is not read again while the stream keeps it whole", async () => {
    const { thread, asked } = make(read(page(some(0, 3))), read(page(some(0, 4))));
    await thread.open();
    await thread.open();
    expect(asked).toHaveLength(1);
    thread.markStale();
    thread.spot = { entry: "e00001", offset: 3 };
    await thread.open();
    expect(asked[1]).toEqual({ kind: "all", around: "e00001" });
  });

  it("opens at the entry of a permalink", async () => {
    const { thread, asked } = make(
      read(page(some(0, 50), null, "e00049")),
      read(page(some(70, 120), "e00070", "e00119")),
    );
    await thread.open("e00010");
    await thread.open("e00010");
    await thread.open("e00099");
    expect(asked).toEqual([
      { kind: "all", around: "e00010" },
      { kind: "all", around: "e00099" },
    ]);
  });

  it("is there although the entry of a permalink, or of its place, is not", async () => {
    const { thread, asked, ids } = make(
      new Refused(404, null, null),
      read(page(some(90, 92), "e00090")),
      new Refused(400, null, null),
      read(page(some(92, 94), "e00092")),
    );
    await thread.open("e00040");
    expect(asked.map((each) => "around" in each)).toEqual([true, false]);
    expect([thread.state.get(), thread.problem.get()]).toEqual(["ready", null]);
    expect(ids()).toEqual(["e00090", "e00091"]);
    expect(thread.missed.get()).toBe(true);
    thread.missed.set(false);
    thread.spot = { entry: "nonsense", offset: 0 };
    thread.markStale();
    await thread.open();
    expect(ids()).toEqual(["e00092", "e00093"]);
    expect([thread.missed.get(), thread.spot]).toEqual([false, null]);
    const gone = make(new Refused(404, null, null), new Refused(404, null, null)).thread;
    await gone.open("e00040");
    expect([gone.state.get(), gone.missed.get()]).toEqual(["gone", false]);
  });

  it("takes entries in order, once, and never lets a status go back", async () => {
    const { thread, ids } = make(read(page(some(0, 3))));
    await thread.open();
    const [late] = some(10, 11);
    const [between] = some(5, 6);
    if (!late || !between) throw new Error("no entries");
    expect(thread.take({ ...late, status: "delivered" }, 20)).toBe(true);
    expect(thread.take(between, 21)).toBe(true);
    expect(thread.take({ ...late, status: "sent" }, 22)).toBe(false);
    expect(ids().slice(-2)).toEqual(["e00005", "e00010"]);
    expect(thread.entries.get().at(-1)?.status).toBe("delivered");
    thread.take({ ...late, status: "read" }, 15);
    expect(thread.entries.get().at(-1)?.status).toBe("delivered");
  });

  it("lets the optimistic entry go when its own arrives, by stream or in a page", async () => {
    const { thread } = make(
      read(page(some(0, 1))),
      read(page([entry("e9", "t1", { idempotency_key: "k2" })])),
    );
    await thread.open();
    thread.addPending(entry("p1", "t1", { idempotency_key: "k1" }));
    thread.addPending(entry("p2", "t1", { idempotency_key: "k2" }));
    thread.take(entry("e8", "t1", { idempotency_key: "k1", occurred_at: minutesAgo(0) }), 20);
    expect(thread.pending.get().map((each) => each.id)).toEqual(["p2"]);
    await thread.jumpToNewest();
    expect(thread.pending.get()).toEqual([]);
  });

  it("lets go of an entry that is another one's double, for good", async () => {
    const entries = some(0, 3);
    const { thread, ids } = make(read(page(entries, "e00000")), read(page(some(0, 2), null), 11));
    await thread.open();
    thread.remove("e00000", 12);
    expect(ids()).toEqual(["e00001", "e00002"]);
    const [double] = entries;
    if (double) expect(thread.take(double, 11)).toBe(false);
    await thread.loadEarlier();
    expect(ids()).toEqual(["e00001", "e00002"]);
    thread.remove("unknown", 13);
    expect(ids()).toEqual(["e00001", "e00002"]);
  });

  it("leaves out what lies beyond its window, and says what is new", async () => {
    const { thread, ids } = make(read(page(some(50, 60), "e00050", "e00059")));
    const [early] = some(1, 2);
    const [last] = some(90, 91);
    if (!early || !last) throw new Error("no entries");
    expect(thread.take(last, 5)).toBe(false);
    await thread.open();
    expect(thread.take(early, 20)).toBe(false);
    expect(thread.take(last, 21)).toBe(true);
    expect(ids()).toHaveLength(10);
  });

  it("keeps what the stream brought while a page was on its way", async () => {
    const slow = later<Read<EntryPage>>();
    const { thread, ids } = make(read(page(some(0, 2))), slow.promise);
    await thread.open();
    const jumping = thread.jumpToNewest();
    const [fresh] = some(9, 10);
    const [same] = some(1, 2);
    if (!fresh || !same) throw new Error("no entries");
    thread.take(fresh, 30);
    thread.take({ ...same, text: "Newer" }, 31);
    slow.keep(read(page(some(0, 2)), 20));
    await jumping;
    expect(ids()).toEqual(["e00000", "e00001", "e00009"]);
    expect(thread.entries.get()[1]?.text).toBe("Newer");
  });

  it("loses nothing of what the stream brings before its first page is there", async () => {
    const slow = later<Read<EntryPage>>();
    const { thread, ids } = make(slow.promise);
    const opening = thread.open();
    const [known, fresh] = some(8, 10);
    if (!known || !fresh) throw new Error("no entries");
    thread.take({ ...known, text: "Newer" }, 30);
    thread.take(fresh, 31);
    slow.keep(read(page([known]), 20));
    await opening;
    expect(ids()).toEqual(["e00008", "e00009"]);
    expect(thread.entries.get()[0]?.text).toBe("Newer");
  });

  it("is read once when it is opened while it is read ahead", async () => {
    const { thread, asked } = make(read(page(some(0, 3))));
    await Promise.all([thread.open(), thread.open()]);
    expect(asked).toHaveLength(1);
    expect(thread.state.get()).toBe("ready");
  });

  it("is read again when the stream lost its place while a page was on its way", async () => {
    const slow = later<Read<EntryPage>>();
    const { thread, ids } = make(slow.promise, read(page(some(0, 3))));
    const ahead = thread.open();
    thread.markStale();
    slow.keep(read(page(some(0, 1))));
    await ahead;
    expect(thread.state.get()).toBe("loading");
    await thread.open();
    expect(ids()).toHaveLength(3);
  });

  it("shows one kind at once, then from the server", async () => {
    const notes = later<Read<EntryPage>>();
    const { thread, asked, ids } = make(
      read(page([...some(0, 2), entry("n1", "t1", { group: "notes" })])),
      notes.promise,
    );
    await thread.open();
    const switching = thread.setKind("notes", "n1");
    await thread.setKind("notes", null);
    expect(ids()).toEqual(["n1"]);
    notes.keep(read(page([entry("n0", "t1", { group: "notes" })])));
    await switching;
    expect(ids()).toEqual(["n0"]);
    expect(asked[1]).toEqual({ kind: "notes", around: "n1" });
    expect(thread.take(some(8, 9)[0] as Entry, 40)).toBe(false);
    expect(thread.newest()).toBeNull();
  });

  it("marks where the unread begins, until it is left, and again above what came since", async () => {
    const { thread, knows } = make(read(page(some(0, 5))));
    knows(detail("t1", { unread: 2, read_up_to: "e00002" }));
    await thread.open();
    expect(thread.unreadFrom.get()).toBe("e00003");
    thread.leave();
    expect(thread.unreadFrom.get()).toBeNull();
    thread.take(some(7, 8)[0] as Entry, 40);
    thread.arrive();
    expect(thread.unreadFrom.get()).toBe("e00007");
  });

  it("ignores pages that are no longer asked for", async () => {
    const slow = [later<Read<EntryPage>>(), later<Read<EntryPage>>(), later<Read<EntryPage>>()];
    const { thread, ids } = make(
      read(page(some(50, 60), "a", "b")),
      ...slow.map((each) => each.promise),
      read(page(some(90, 92))),
      new Promise((_, reject) => setTimeout(() => reject(new Error("late")), 0)),
      new Promise((_, reject) => setTimeout(() => reject(new Error("late")), 0)),
      read(page(some(95, 96), "a", "b")),
    );
    await thread.open();
    const reads = [thread.loadEarlier(), thread.loadLater(), thread.jumpToNewest()];
    await thread.jumpToNewest();
    for (const each of slow) each.keep(read(page(some(0, 5))));
    await Promise.all(reads);
    expect(ids()).toEqual(["e00090", "e00091"]);
    const failing = thread.jumpToNewest();
    const also = thread.jumpToNewest();
    await thread.jumpToNewest();
    await Promise.all([failing, also]);
    await settled();
    expect(thread.problem.get()).toBeNull();
  });
});
