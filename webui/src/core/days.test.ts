import { describe, expect, it } from "vitest";

import { entry, organisation, row, settled, world, type World } from "../../tests/world";
import type { Scope } from "./wire";

async function started(scope: Scope): Promise<World> {
  const made = world();
  made.inbox.start(scope);
  made.sockets.say({ type: "hello", position: 10 });
  await settled();
  return made;
}

describe("the list of an organisation's days", () => {
  it("is read anew when another day has begun there", async () => {
    const made = await started({ status: "open", filter: "all", range: "today" });
    made.inbox.timePassed();
    await settled();
    const asked = () => made.server.asked("GET /threads");
    expect(asked()).toBe(1);
    // Noon in UTC; the organisation's midnight is within the next day.
    made.clock.pass(5 * 60_000);
    made.inbox.timePassed();
    await settled();
    expect(asked()).toBe(1);
    made.clock.pass(24 * 3_600_000);
    made.inbox.timePassed();
    await settled();
    expect(asked()).toBe(2);
    expect(organisation.time_zone).toBeTruthy();
  });

  it("tells the stream what it counts, without what is searched for", async () => {
    const made = await started({ status: "open", filter: "mine", range: "30d" });
    await made.inbox.show({ status: "open", filter: "mine", range: "30d", q: "saddle" });
    const said = made.sockets.last.sent.map((each) => JSON.parse(each) as object);
    const show = { status: "open", filter: "mine", range: "30d" };
    expect(said.filter((each) => "show" in each)).toEqual([{ show }, { show }]);
  });

  it("says who closed a conversation", async () => {
    const made = await started({ status: "open", filter: "all" });
    const event = { type: "closed", by: "Ana" };
    const closing = entry("e9", "t1", { kind: "system", direction: "internal", event });
    made.sockets.frame({
      from: 10,
      to: 12,
      changes: [
        { type: "entry.added", entry: closing, position: 11 },
        { type: "thread.changed", thread: row("t1", { status: "closed" }), position: 12 },
      ],
    });
    expect(made.inbox.list.leaving.get().get("t1")).toBe("Closed by Ana");
  });

  it("is explained once to a person, wherever they are", async () => {
    const made = await started({ status: "open", filter: "all" });
    made.server.on("PATCH /api/v1/me", { status: 500, body: {} });
    await made.inbox.noteRange();
    expect(made.server.asked("PATCH /api/v1/me")).toBe(0);
    made.inbox.rangeNoted.set(false);
    await made.inbox.noteRange();
    expect(made.inbox.rangeNoted.get()).toBe(true);
    expect(made.server.last("PATCH /api/v1/me")?.body).toEqual({ range_noted: true });
  });
});
