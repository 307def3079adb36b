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
  ] as [Scope, Partial<ThreadRow>, Partial<ThreadRow>, string][])(
    "says why a row leaves %j",
    async (scope, before, after, reason) => {
      const { list, put } = make(page([at("t1", 1, before)]));
      await list.show(scope);
      put(at("t1", 1, after));
      expect(list.leaving.get().get("t1")).toContain(reason);
    },
  );
});
