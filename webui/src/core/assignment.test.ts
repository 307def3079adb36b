import { describe, expect, it } from "vitest";

import { ana, counts, entry, minutesAgo, row, settled, world } from "../../tests/world";
import type { World } from "../../tests/world";
import { dayTime } from "./dates";
import { describeEvent } from "./events";
import type { Change } from "./wire";

async function started(filter: "all" | "late" = "all"): Promise<World> {
  const made = world();
  made.inbox.start({ status: "open", filter });
  made.sockets.say({ type: "hello", position: 10 });
  await settled();
  return made;
}

function push({ sockets, inbox }: World, ...changes: Omit<Change, "position">[]): void {
  const from = inbox.stream.position ?? 0;
  const placed = changes.map((change, at) => ({ ...change, position: from + at + 1 }));
  sockets.frame({ from, to: from + placed.length, changes: placed });
}

const texts = ({ inbox }: World) => inbox.toasts.shown.get().map((toast) => toast.text);

describe("being assigned a conversation", () => {
  it("reads in a line", () => {
    const event = { type: "assigned_automatically", assignee: "Ana Ruiz", by: null };
    const line = entry("s", "t", { kind: "system", event });
    expect(describeEvent(line)).toBe("Assigned to Ana Ruiz automatically");
  });
});

describe("being available", () => {
  const mine = ({ inbox }: World) =>
    inbox.members.get().find((member) => member.id === "m1")?.available;

  it("shows at once and is kept", async () => {
    const made = await started();
    made.server.on("PATCH /membership", { body: { available: true } });
    const done = made.inbox.setAvailable(true);
    expect(mine(made)).toBe(true);
    expect(made.inbox.members.get().find((member) => member.id === ana.id)?.available).toBe(
      undefined,
    );
    await done;
    expect(mine(made)).toBe(true);
    expect(texts(made)).toEqual([]);
  });

  it("goes back where it could not be kept, and can be tried again", async () => {
    const made = await started();
    made.server.on("PATCH /membership", { status: 500, body: {} });
    await made.inbox.setAvailable(true);
    expect(mine(made)).toBe(false);
    expect(texts(made)).toEqual([
      "Your availability was not changed. The server answered with an error (500).",
    ]);
    made.server.on("PATCH /membership", { body: { available: true } });
    made.inbox.toasts.shown.get()[0]?.action?.run();
    await settled();
    expect(mine(made)).toBe(true);
  });
});

describe("an answer that is due", () => {
  it("makes its conversation late when its time is over, without being told", async () => {
    const made = await started("late");
    const due = row("t1", { needs_response: true, reply_due_at: minutesAgo(-10) });
    made.inbox.stream.stop();
    made.inbox.rows.put(due, 11);
    made.inbox.timePassed();
    await settled();
    const asked = made.server.requests.length;
    made.clock.pass(9 * 60_000);
    made.inbox.timePassed();
    await settled();
    expect(made.server.requests).toHaveLength(asked);
    const late = { ...counts, filter: { ...counts.filter, late: 1 } };
    made.server.on("GET /threads/counts", { body: late });
    made.server.on("GET /threads", { body: { items: [due], next_cursor: null } });
    made.clock.pass(2 * 60_000);
    made.inbox.timePassed();
    await settled();
    expect(made.inbox.list.order.get()).toEqual(["t1"]);
    expect(made.inbox.counts.get()?.filter.late).toBe(1);
  });

  it("is due no more once it is closed or marked as answered", async () => {
    const made = await started();
    const due = row("t1", { needs_response: true, reply_due_at: minutesAgo(-10) });
    for (const act of ["close", "answered", "asked"] as const) {
      made.inbox.rows.put(due, 20);
      made.server.on("PATCH /threads/t1", { status: 500, body: {} });
      if (act === "close") made.inbox.setClosed("t1", true);
      else made.inbox.setNeedsResponse("t1", act === "asked");
      const kept = act === "asked" ? due.reply_due_at : null;
      expect(made.inbox.rows.get("t1")?.reply_due_at).toBe(kept);
      await settled();
    }
  });

  it("is read anew when the settings are others", async () => {
    const made = await started();
    const before = made.server.requests.length;
    push(made, { type: "settings.changed" });
    await settled();
    expect(made.server.requests.length).toBeGreaterThan(before);
  });

  it("has its time, and its day where that is not today", () => {
    const zone = { locale: "en-GB", timeZone: "UTC" };
    const now = Date.parse("2026-11-20T12:00:00Z");
    expect(dayTime("2026-11-20T16:05:00Z", now, zone)).toBe("16:05");
    expect(dayTime("2026-11-23T09:30:00Z", now, zone)).toContain("23 Nov");
    expect(dayTime("2026-11-23T09:30:00Z", now, zone)).not.toContain("2026");
    expect(dayTime("2025-11-23T09:30:00Z", now, zone)).toContain("23 Nov 2025");
  });
});
