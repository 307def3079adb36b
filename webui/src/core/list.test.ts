import { describe, expect, it } from "vitest";

import { ana, later, minutesAgo, mira, row, settled, TestClock } from "../../tests/world";
import type { Read } from "./http";
import { List } from "./list";
import { Refused } from "./problem";
import { Rows } from "./rows";
import type { Scope, ThreadRow } from "./wire";

type Page = Read<{ items: ThreadRow[]; next_cursor: string | null }>;

function make(...pages: (Page | Promise<Page> | Error)[]) {
  const clock = new TestClock();
  const rows = new Rows();
  const asked: { scope: Scope; cursor: string | null }[] = [];
  const list = new List({
    clock,
    rows,
    me: "m1",
    zone: { locale: "en-GB", timeZone: "Europe/Berlin" },
    page: (scope, cursor) => {
      asked.push({ scope, cursor });
      const next = pages.shift() ?? new Error("no page left");
      return next instanceof Error ? Promise.reject(next) : Promise.resolve(next);
    },
  });
  /** What the stream does with a row. */
  const put = (next: ThreadRow, position = 20, news = true) => {
    const before = rows.get(next.id);
    if (rows.put(next, position)) list.changed(before, next, news);
  };
  return { clock, rows, list, asked, put };
}

const page = (items: ThreadRow[], next_cursor: string | null = null, position = 10): Page => ({
  data: { items, next_cursor },
  position,
});
const at = (id: string, minutes: number, change: Partial<ThreadRow> = {}) =>
  row(id, { sort_at: minutesAgo(minutes), ...change });
const open: Scope = { status: "open", filter: "all" };

describe("the list", () => {
  it("shows the first page, newest first, and more when asked", async () => {
    const { list, asked } = make(
      page([at("t1", 1), at("t2", 2)], "c"),
      page([at("t2", 2), at("t3", 3)]),
    );
    await list.load();
    expect(list.order.get()).toEqual(["t1", "t2"]);
    expect(list.more.get()).toBe("some");
    await list.loadMore();
    expect(list.order.get()).toEqual(["t1", "t2", "t3"]);
    expect(list.more.get()).toBe("none");
    await list.loadMore();
    expect(asked.map((each) => each.cursor)).toEqual([null, "c"]);
  });

  it("keeps what it shows when loading fails, and says why", async () => {
    const { list } = make(
      page([at("t1", 1)], "c"),
      new Refused(503, null, null),
      new Refused(503, null, null),
    );
    await list.load();
    await list.loadMore();
    expect(list.more.get()).toBe("failed");
    await list.load();
    expect(list.order.get()).toEqual(["t1"]);
    expect(list.problem.get()).toContain("503");
  });

  it("answers another scope at once from what is here, then from the server", async () => {
    const answer = later<Page>();
    const { list } = make(page([at("t1", 1), at("t2", 2, { unread: 1 })]), answer.promise);
    await list.show(open);
    const shown = list.show({ status: "open", filter: "unread" });
    expect(list.order.get()).toEqual(["t2"]);
    expect(list.state.get()).toBe("switching");
    answer.keep(page([at("t9", 1, { unread: 2 })]));
    await shown;
    expect(list.order.get()).toEqual(["t9"]);
    expect(list.state.get()).toBe("ready");
  });

  it("keeps what the stream brought while the page was on its way", async () => {
    const answer = later<Page>();
    const { list, put } = make(answer.promise);
    const loaded = list.load();
    put(at("t9", 0), 12);
    put(at("t2", 2, { status: "closed" }), 12);
    answer.keep(page([at("t1", 1), at("t2", 2)]));
    await loaded;
    expect(list.order.get()).toEqual(["t9", "t1"]);
  });

  it("goes on with a highlight in a row that is drawn meanwhile, and not after", async () => {
    const { list, put, clock } = make(page([at("t1", 1)]));
    await list.load();
    put(at("t2", 0));
    expect(list.flashes.at("t2").get() - list.highlightsOver("t2")).toBe(1);
    clock.pass(1_400);
    expect(list.flashes.at("t2").get() - list.highlightsOver("t2")).toBe(0);
  });

  it("keeps the old rows until the new come when nothing here matches", async () => {
    const { list } = make(page([at("t1", 1)]), new Promise(() => undefined));
    await list.show(open);
    void list.show({ status: "closed", filter: "all" });
    expect(list.order.get()).toEqual(["t1"]);
  });

  it("ignores answers to what is no longer asked", async () => {
    const slow = later<Page>();
    const more = later<Page>();
    const { list } = make(
      slow.promise,
      page([at("t2", 1)], "c"),
      more.promise,
      page([at("t3", 1)]),
      new Promise((_, reject) => setTimeout(() => reject(new Error("late")), 0)),
      page([at("t4", 1)]),
    );
    const first = list.load();
    await list.load();
    slow.keep(page([at("t1", 1)]));
    await first;
    expect(list.order.get()).toEqual(["t2"]);
    const loading = list.loadMore();
    await list.load();
    more.keep(page([at("t9", 9)]));
    await loading;
    expect(list.order.get()).toEqual(["t3"]);
    const failing = list.load();
    await list.load();
    await failing;
    await settled();
    expect(list.problem.get()).toBeNull();
  });

  it("patches a row in place, highlights it, and lets it rise", async () => {
    const { list, put, rows } = make(page([at("t1", 1), at("t2", 2)]));
    await list.load();
    put(at("t2", 0, { unread: 1 }));
    expect(rows.get("t2")?.unread).toBe(1);
    expect(list.order.get()).toEqual(["t2", "t1"]);
    expect(list.flashes.at("t2").get()).toBe(1);
    put(at("t2", 0, { unread: 0 }), 21);
    expect(list.flashes.at("t2").get()).toBe(1);
    put(at("t2", 0, { assignee: ana }), 22);
    expect(list.flashes.at("t2").get()).toBe(2);
    put(at("t2", 0, { assignee: mira }), 23, false);
    expect(list.flashes.at("t2").get()).toBe(2);
    put(at("t2", 0, { unread: 9 }), 5);
    expect(rows.get("t2")?.unread).toBe(0);
  });

  it("does not move rows under a pointer", async () => {
    const { clock, list, put } = make(page([at("t1", 1), at("t2", 2)]));
    await list.load();
    list.gate.touch();
    put(at("t2", 0));
    put(at("t3", 0));
    expect(list.order.get()).toEqual(["t1", "t2"]);
    clock.pass(800);
    expect(list.order.get()).toEqual(["t3", "t2", "t1"]);
  });

  it("counts what rose while the reader is further down", async () => {
    const { list, put } = make(page([at("t1", 1), at("t2", 2)]));
    await list.load();
    list.setScrolled(true);
    put(at("t2", 0));
    put(at("t3", 0));
    put(at("t1", 0), 30, false);
    expect(list.risen.get().size).toBe(2);
    list.setScrolled(false);
    expect(list.risen.get().size).toBe(0);
  });

  it("counts and highlights everything that waited for a pointer to rest", async () => {
    const { clock, list, put } = make(page([at("t1", 1), at("t2", 2), at("t3", 3)]));
    await list.load();
    list.setScrolled(true);
    list.gate.touch();
    put(at("t2", 0));
    put(at("t4", 0));
    put(at("t3", 0), 30, false);
    put(at("t5", 0), 31, false);
    clock.pass(800);
    expect([...list.risen.get()].sort()).toEqual(["t2", "t4"]);
    expect(list.flashes.at("t4").get()).toBe(1);
    expect(list.flashes.at("t5").get()).toBe(0);
    // What waits when another list is chosen is no news of that one.
    put(at("t6", 0), 32);
    const before = list.risen.get();
    list.gate.touch();
    put(at("t1", 0), 33);
    await list.show({ status: "all", filter: "all" });
    clock.pass(800);
    expect(list.risen.get()).toBe(before);
  });

  it("does not go on in another list where the last one was left off", async () => {
    const { list, asked } = make(
      page([at("t1", 1)], "c"),
      new Refused(503, null, null),
      page([at("t2", 2)], "d"),
      page([at("t3", 3)]),
    );
    await list.show(open);
    const closed: Scope = { status: "closed", filter: "all" };
    await list.show(closed);
    expect(list.problem.get()).toContain("503");
    expect(list.more.get()).toBe("none");
    await list.loadMore();
    expect(asked).toHaveLength(2);
    await list.load();
    expect(list.more.get()).toBe("some");
    await list.loadMore();
    expect(asked.at(-1)).toEqual({ scope: closed, cursor: "d" });
  });

  it("takes in only what falls into the pages that are here", async () => {
    const { list, put } = make(page([at("t1", 1), at("t2", 2)], "c"), page([], "c"));
    await list.load();
    put(at("old", 60));
    expect(list.order.get()).toEqual(["t1", "t2"]);
    put(at("new", 0));
    expect(list.order.get()).toEqual(["new", "t1", "t2"]);
    await list.load();
    put(at("first", 0), 40);
    expect(list.order.get()).toContain("first");
  });

  it("puts further pages to the rows as they are by now, in their order", async () => {
    const more = later<Page>();
    const { list, put } = make(page([at("t1", 1), at("t4", 4)], "c"), more.promise);
    await list.load();
    void list.loadMore();
    put(at("t6", 6, { status: "closed" }));
    put(at("t7", 7), 21);
    more.keep(page([at("t5", 5), at("t6", 6), at("t8", 8)], "d"));
    await settled();
    expect(list.order.get()).toEqual(["t1", "t4", "t5", "t7", "t8"]);
  });

  it("takes in what falls before the next page, whatever became of the last row", async () => {
    const { list, put } = make(page([at("t1", 1), at("t4", 4)], "c"));
    await list.load();
    put(at("t4", 0));
    put(at("t3", 3), 21);
    expect(list.order.get()).toEqual(["t4", "t1", "t3"]);
    put(at("t4", 0, { status: "closed" }), 22);
    put(at("t1", 1, { status: "closed" }), 23);
    put(at("t3", 3, { status: "closed" }), 24);
    list.acted();
    put(at("t2", 2), 25);
    put(at("t5", 5), 26);
    expect(list.order.get()).toEqual(["t2"]);
  });

  it("passes over more of a list that has been read anew meanwhile", async () => {
    const more = later<Page>();
    const first = later<Page>();
    const { list } = make(page([at("t1", 1)], "c"), first.promise, more.promise);
    await list.load();
    void list.show({ status: "all", filter: "all" });
    void list.loadMore();
    first.keep(page([at("t1", 1), at("t2", 2)], "d"));
    await settled();
    more.keep(page([at("t9", 9)]));
    await settled();
    expect(list.order.get()).toEqual(["t1", "t2"]);
    expect(list.more.get()).toBe("some");
  });

  it("keeps a row that no longer matches, with the reason, until the next action or 5 s", async () => {
    const { clock, list, put } = make(page([at("t1", 1), at("t2", 2), at("t3", 3)]));
    await list.load();
    put(at("t1", 1, { status: "closed" }));
    put(at("t2", 2, { status: "closed" }));
    expect([...list.leaving.get()]).toEqual([
      ["t1", "Closed"],
      ["t2", "Closed"],
    ]);
    put(at("t2", 2), 30);
    expect(list.leaving.get().has("t2")).toBe(false);
    clock.pass(5_000);
    expect(list.order.get()).toEqual(["t2", "t3"]);
    put(at("t3", 3, { status: "closed" }));
    list.acted();
    expect(list.order.get()).toEqual(["t2"]);
  });

  it.each([
    [{ status: "closed", filter: "all" }, { status: "closed" }, {}, "Reopened"],
    [{ status: "unread", filter: "all" }, { unread: 1 }, {}, "Read"],
    [{ status: "open", filter: "unread" }, { unread: 1 }, {}, "Read"],
    [{ status: "open", filter: "needs_response" }, { needs_response: true }, {}, "No longer"],
    [{ status: "open", filter: "mine" }, { assignee: mira }, {}, "No longer assigned"],
    [{ status: "open", filter: "mine" }, { assignee: mira }, { assignee: ana }, "Assigned to Ana"],
    [{ status: "open", filter: "unassigned" }, {}, { assignee: mira }, "Assigned to you"],
    [{ status: "all", filter: "all" }, {}, { preview: null }, "Its call was moved"],
  ] as [Scope, Partial<ThreadRow>, Partial<ThreadRow>, string][])(
    "says why a row leaves %j",
    async (scope, before, after, reason) => {
      const { list, put } = make(page([at("t1", 1, before)]));
      await list.show(scope);
      put(at("t1", 1, after));
      expect(list.leaving.get().get("t1")).toContain(reason);
    },
  );

  it("comes back to a list as it was left, with what happened meanwhile", async () => {
    const { list, asked, put } = make(
      page([at("t1", 1), at("t2", 2)], "c"),
      page([at("t3", 3)], "d"),
      page([at("t1", 1, { unread: 1 })]),
    );
    await list.show(open);
    await list.loadMore();
    await list.show({ ...open, filter: "unread" });
    expect(list.order.get()).toEqual(["t1"]);
    put(at("t3", 0));
    put(at("t9", 90));
    put(at("t2", 2, { status: "closed" }));
    await list.show(open, true);
    expect(asked).toHaveLength(3);
    expect(list.order.get()).toEqual(["t3", "t1"]);
    expect(list.more.get()).toBe("some");
    expect(list.state.get()).toBe("ready");
    // What was forgotten is asked for again.
    list.forget();
    await list.show({ ...open, status: "closed" }, true);
    expect(asked).toHaveLength(4);
  });

  it("keeps the lists that were left last", async () => {
    const pages = Array.from({ length: 30 }, (_, at) => page([row(`t${String(at)}`)]));
    const { list, asked } = make(page([at("t1", 1)]), ...pages);
    await list.load();
    for (let n = 0; n < 25; n += 1) await list.show({ ...open, assignee: `m${String(n)}` });
    const before = asked.length;
    await list.show({ ...open, assignee: "m20" }, true);
    expect(asked).toHaveLength(before);
    await list.show({ ...open, assignee: "m1" }, true);
    expect(asked).toHaveLength(before + 1);
  });

  it("shows what a search finds in the server's order, and leaves it there", async () => {
    const match = { kind: "entry" as const, entry_id: "e1", text: "saddle", ranges: [] };
    const { list, put, asked } = make(
      page([at("t1", 1)]),
      page([at("t5", 5, { match }), at("t3", 3, { status: "closed" })], "c"),
      page([at("t4", 4, { match })]),
      page([at("t1", 1)]),
    );
    await list.load();
    await list.show({ ...open, q: "saddle" });
    expect(list.order.get()).toEqual(["t5", "t3"]);
    expect(list.found.get().get("t5")).toEqual(match);
    await list.loadMore();
    put(at("t5", 0, { status: "closed" }));
    put(at("t8", 0));
    expect(list.order.get()).toEqual(["t5", "t3", "t4"]);
    expect(list.leaving.get().size).toBe(0);
    expect([...list.found.get().keys()]).toEqual(["t5", "t4"]);
    await list.show(open);
    expect(list.found.get().size).toBe(0);
    await list.show({ ...open, q: "saddle" }, true);
    expect(list.order.get()).toEqual(["t5", "t3", "t4"]);
    expect(asked).toHaveLength(4);
  });

  it("does not put in order what is searched for while it waited to", async () => {
    const { list, put, clock } = make(page([at("t1", 1), at("t2", 2)]), page([at("t2", 2)]));
    await list.load();
    list.gate.touch();
    put(at("t2", 0));
    await list.show({ ...open, q: "two" });
    clock.pass(5_000);
    expect(list.order.get()).toEqual(["t2"]);
  });

  it("offers a number that nobody has", async () => {
    const number = { value: "+442079460958", display: "+44 20 7946 0958" };
    const offer = { ...page([]), data: { items: [], next_cursor: null, new_number: number } };
    const { list } = make(page([at("t1", 1)]), offer, page([at("t1", 1)]));
    await list.load();
    await list.show({ ...open, q: "+442079460958" });
    expect(list.newNumber.get()).toEqual(number);
    await list.show(open);
    expect(list.newNumber.get()).toBeNull();
  });

  it("knows whether there is anything at all", async () => {
    const none = make(page([]), page([]));
    await none.list.show({ ...open, range: "30d" });
    expect(none.list.nothing.get()).toBe(true);
    expect(none.asked[1]?.scope).toEqual({ status: "all", filter: "all" });
    const old = make(page([]), page([at("t1", 90_000)]), page([]));
    await old.list.show({ ...open, range: "30d" });
    expect(old.list.nothing.get()).toBe(false);
    const all = make(page([]));
    await all.list.show({ status: "all", filter: "all" });
    expect([all.list.nothing.get(), all.asked.length]).toEqual([true, 1]);
    old.put(at("t2", 1));
    await old.list.load();
    expect(old.asked).toHaveLength(3);
  });

  it("asks the server what only it knows: what went through numbers of ours", async () => {
    const { list, put, asked, clock } = make(
      page([at("t1", 1)]),
      page([at("t2", 2)]),
      page([at("t3", 0), at("t2", 2)], null, 30),
      page([at("t3", 0), at("t2", 2)], null, 31),
      new Refused(503, null, null),
    );
    await list.load();
    await list.show({ ...open, own: ["+1"] });
    expect(list.order.get()).toEqual(["t2"]);
    put(at("t3", 0));
    put(at("t1", 0));
    expect(list.order.get()).toEqual(["t2"]);
    clock.pass(2_000);
    await settled();
    expect(list.order.get()).toEqual(["t3", "t2"]);
    expect(asked).toHaveLength(3);
    put(at("t3", 0, { unread: 1 }));
    expect(list.order.get()).toEqual(["t3", "t2"]);
    // Nothing new, then nothing at all: the list stays.
    for (const round of [21, 22]) {
      put(at("t1", 0, { unread: round }), round);
      clock.pass(2_000);
      await settled();
    }
    expect(list.order.get()).toEqual(["t3", "t2"]);
    expect(asked).toHaveLength(5);
    // What is asked for another list by then is nobody's.
    put(at("t1", 0, { unread: 3 }), 23);
    void list.show(open);
    clock.pass(2_000);
    await settled();
    expect(asked).toHaveLength(6);
  });

  it("lists no conversation anew that is active after a range has ended", async () => {
    const past = { ...open, range: "custom" as const, from: "2026-11-01", to: "2026-11-10" };
    const { list, put } = make(page([at("t1", 1)]), page([at("t2", 30_000)]));
    await list.load();
    await list.show(past);
    put(at("t1", 0));
    expect(list.order.get()).toEqual(["t2"]);
    put(at("t2", 0));
    expect(list.order.get()).toEqual(["t2"]);
  });

  it("says who closed or reopened a conversation, if that is known", async () => {
    const { list } = make(
      page([at("t1", 1), at("t2", 2)]),
      page([at("t3", 3, { status: "closed" })]),
    );
    await list.load();
    list.changed(null, at("t1", 1, { status: "closed" }), true, "Ana");
    expect(list.leaving.get().get("t1")).toBe("Closed by Ana");
    await list.show({ ...open, status: "closed" });
    list.changed(null, at("t3", 3), true, "Ana");
    expect(list.leaving.get().get("t3")).toBe("Reopened by Ana");
  });
});
