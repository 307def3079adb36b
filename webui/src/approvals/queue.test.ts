import { describe, expect, it, vi } from "vitest";

import { Refused } from "../core/problem";
import type { Approval, Problem } from "../core/wire";
import { entry, minutesAgo, row } from "../../tests/world";
import type { Asked } from "./api";
import { changesOf } from "./changes";
import { Queue } from "./queue";

function waits(id: string, change: Partial<Approval> = {}): Approval {
  const thread = row(`t-${id}`);
  return {
    id,
    state: "waiting",
    entry: entry(id, thread.id, { direction: "out", status: "pending_approval" }),
    thread,
    contact: thread.contact,
    author: { kind: "member", id: "m2", name: "Gil" },
    author_active: true,
    waiting_since: minutesAgo(20 - Number(id)),
    text: `Text of ${id}`,
    subject: null,
    original_text: null,
    original_subject: null,
    can_edit: true,
    problems: [],
    ...change,
  };
}

function made(items: Approval[], next: string | null = null) {
  const known = new Map(items.map((item) => [item.id, item]));
  const http = {
    approvals: vi.fn(() => Promise.resolve({ data: { items, next_cursor: next }, position: 10 })),
    approval: vi.fn((_: string, id: string) => Promise.resolve(known.get(id) ?? waits(id))),
    approve: vi.fn((_: string, id: string) => Promise.resolve(waits(id, { state: "approved" }))),
    reject: vi.fn(),
  };
  return { http, queue: new Queue("main", http as unknown as Asked) };
}

const ids = (queue: Queue) => queue.waiting.get().items.map((item) => item.id);

function refused(status: number, problem: Partial<Problem>): Refused {
  return new Refused(
    status,
    { type: "", title: "", status, detail: "No", ...problem } as Problem,
    null,
  );
}

describe("the queue", () => {
  it("shows what waits, the longest first, and follows the stream", async () => {
    const { queue } = made([waits("2"), waits("1")]);
    await queue.load();
    expect(ids(queue)).toEqual(["1", "2"]);
    queue.take(waits("3"), 11);
    expect(ids(queue)).toEqual(["1", "2", "3"]);
    queue.take(waits("1", { state: "approved" }), 12);
    expect(ids(queue)).toEqual(["2", "3"]);
    queue.take(waits("1"), 9);
    expect(ids(queue)).toEqual(["2", "3"]);
  });

  it("leaves what a later page will bring to that page", async () => {
    const { queue } = made([waits("1")], "more");
    await queue.load();
    queue.take(waits("3"), 11);
    expect(ids(queue)).toEqual(["1"]);
  });

  it("names what comes next, and what came before where it was the last", async () => {
    const { queue } = made([waits("1"), waits("2")]);
    await queue.load();
    expect([queue.after("1"), queue.after("2")]).toEqual(["2", "1"]);
    queue.take(waits("2", { state: "rejected" }), 11);
    expect(queue.after("1")).toBeNull();
  });

  it("takes an approved message out", async () => {
    const { queue } = made([waits("1"), waits("2")]);
    await queue.load();
    await queue.choose("1");
    expect(await queue.approve("1", { text: "Better" })).toBe("done");
    expect(ids(queue)).toEqual(["2"]);
    expect(queue.open.get()?.approval?.state).toBe("approved");
  });

  it("says who was faster, as no error", async () => {
    const { http, queue } = made([waits("1")]);
    await queue.load();
    await queue.choose("1");
    const decision = { state: "approved" as const, by: "Ana", at: minutesAgo(1) };
    http.approve.mockRejectedValueOnce(refused(409, { code: "already_decided", decision }));
    expect(await queue.approve("1", {})).toEqual(decision);
    expect(queue.open.get()?.fault).toBeNull();
    expect(ids(queue)).toEqual([]);
  });

  it("keeps what a rule forbids, and says why", async () => {
    const { http, queue } = made([waits("1")]);
    await queue.load();
    await queue.choose("1");
    http.approve.mockRejectedValueOnce(refused(422, { code: "window_closed" }));
    expect(await queue.approve("1", {})).toBeNull();
    expect(queue.open.get()?.fault).toBe("No");
    expect(ids(queue)).toEqual(["1"]);
    expect(http.approval).toHaveBeenCalledTimes(2);
  });

  it("shows nothing any more once the right is gone", async () => {
    const { http, queue } = made([waits("1")]);
    await queue.load();
    await queue.choose("1");
    http.approvals.mockRejectedValueOnce(refused(403, {}));
    await queue.load();
    expect(ids(queue)).toEqual([]);
    expect(queue.waiting.get().why).toBe("No");
  });

  it("keeps what is shown while the server is away", async () => {
    const { http, queue } = made([waits("1")]);
    await queue.load();
    http.approvals.mockRejectedValueOnce(refused(503, {}));
    await queue.load();
    expect([ids(queue), queue.waiting.get().phase]).toEqual([["1"], "failed"]);
  });
});

describe("changes", () => {
  it.each([
    ["one two", "one two", ["kept:one two"]],
    ["helo Ana", "Hello Ana", ["out:helo", "in:Hello", "kept: Ana"]],
    ["one three", "one two three", ["kept:one ", "in:two ", "kept:three"]],
    ["", "new", ["in:new"]],
    ["old", "", ["out:old"]],
  ])("from %j to %j", (before, after, expected) => {
    expect(changesOf(before, after).map(({ kind, text }) => `${kind}:${text}`)).toEqual(expected);
  });

  it("leads from the one to the other, however long they are", () => {
    const before = Array.from({ length: 4_000 }, (_, at) => `a${String(at)}`).join(" ");
    const after = Array.from({ length: 4_000 }, (_, at) => `b${String(at)}`).join(" ");
    const pieces = changesOf(before, after);
    const joined = (skip: string) =>
      pieces
        .filter(({ kind }) => kind !== skip)
        .map(({ text }) => text)
        .join("");
    expect(joined("in")).toBe(before);
    expect(joined("out")).toBe(after);
  });
});
