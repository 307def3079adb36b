import { describe, expect, it } from "vitest";

import {
  ana,
  callOf,
  channel,
  counts,
  detail,
  entry,
  later,
  minutesAgo,
  mira,
  organisation,
  page,
  row,
  settled,
  world,
  type World,
} from "../../tests/world";
import { Http } from "./http";
import type { Approval, Change, Entry, ThreadRow } from "./wire";

const open = { status: "open", filter: "all" } as const;

async function started(change: (world: World) => void = () => undefined): Promise<World> {
  const made = world();
  change(made);
  made.inbox.start(open);
  made.sockets.say({ type: "hello", position: 10 });
  await settled();
  return made;
}

let position = 10;
function push({ sockets, inbox }: World, ...changes: Omit<Change, "position">[]): void {
  const from = inbox.stream.position ?? 0;
  position = from;
  const placed = changes.map((change) => ({ ...change, position: ++position }));
  sockets.frame({ from, to: position, changes: placed });
}

const added = (next: Entry): Omit<Change, "position"> => ({ type: "entry.added", entry: next });
const changed = (next: ThreadRow): Omit<Change, "position"> => ({
  type: "thread.changed",
  thread: next,
});
const draftOf = ({ inbox }: World, thread: string, mode = "a") =>
  inbox.drafts.open(`c-${thread}`, mode);
const entries = ({ inbox }: World, thread: string) =>
  inbox
    .thread(thread)
    .entries.get()
    .map((each) => each.text);
const pending = ({ inbox }: World, thread: string) =>
  inbox
    .thread(thread)
    .pending.get()
    .map((each) => each.text);

it("keeps of an open conversation no more than its row", async () => {
  const made = await started();
  await made.inbox.open("t1");
  await settled();
  const kept = made.inbox.rows.get("t1");
  expect(kept?.contact.display).toBe("Contact t1");
  for (const besides of ["details", "compose", "consents", "calls"])
    expect(kept).not.toHaveProperty(besides);
});

const decided = {
  state: "approved",
  member_id: organisation.member_id,
  submitted_at: minutesAgo(5),
  original_text: null,
  original_subject: null,
  decided_by: "Ana",
  decided_by_id: "m2",
  decided_at: minutesAgo(0),
  reason: null,
};

describe("the inbox", () => {
  it("subscribes first and reads second", async () => {
    const made = await started();
    expect(made.sockets.opened).toHaveLength(1);
    expect(made.sockets.last.path).toBe("/api/v1/organisations/main/stream");
    expect(made.inbox.list.order.get()).toHaveLength(2);
    expect(made.inbox.channels.get().size).toBe(2);
    expect(made.inbox.members.get()).toHaveLength(2);
    expect(made.inbox.counts.get()).toEqual(counts);
    made.sockets.say({ type: "counts", counts: { ...counts, unread_total: 7 }, position: 11 });
    expect(made.inbox.counts.get()?.unread_total).toBe(7);
    made.inbox.stop();
    expect(made.sockets.last.closed).toBe(true);
  });

  it("shows no counts that are older than those it shows, but in another scope", async () => {
    const made = await started();
    const asked = made.inbox.loadCounts();
    made.sockets.say({ type: "counts", counts: { ...counts, unread_total: 7 }, position: 11 });
    await asked;
    expect(made.inbox.counts.get()?.unread_total).toBe(7);
    await made.inbox.show({ status: "closed", filter: "all" });
    expect(made.inbox.counts.get()).toEqual(counts);
  });

  it("reads again what was read before the stream began", async () => {
    const made = world();
    made.server.position = 9;
    made.inbox.start(open);
    await settled();
    const late = later<{ body: unknown; position: number }>();
    made.server.on("GET /threads/t1/entries", () => late.promise);
    void made.inbox.open("t1");
    await settled();
    made.server.position = 12;
    const now = [row("t3"), row("t2"), row("t1")];
    made.server.on("GET /threads", { body: { items: now, next_cursor: null } });
    made.sockets.say({ type: "hello", position: 10 });
    await settled();
    expect(made.inbox.list.order.get()).toContain("t3");
    const asked = made.server.asked("GET /threads/t1/entries");
    late.keep({ body: page([entry("e1", "t1")]), position: 9 });
    await settled();
    expect(made.server.asked("GET /threads/t1/entries")).toBeGreaterThan(asked);
    expect(made.server.asked("GET /threads")).toBe(2);
  });

  it("lets a row move that an open conversation has read before the stream told of it", async () => {
    const made = await started(({ server }) => {
      const newer = { sort_at: minutesAgo(0), status: "closed" as const };
      server
        .on("GET /threads/t2", { body: detail("t2", { sort_at: minutesAgo(0) }), position: 14 })
        .on("GET /threads/t1", { body: detail("t1", newer), position: 14 });
    });
    await made.inbox.open("t2");
    expect(made.inbox.list.order.get()).toEqual(["t2", "t1"]);
    await made.inbox.open("t1");
    expect([...made.inbox.list.leaving.get().keys()]).toEqual(["t1"]);
  });

  it("reads again what could not be read while the server was away", async () => {
    const made = await started();
    await made.inbox.open("t2");
    made.server
      .on("GET /threads", () => new TypeError("away"))
      .on("GET /threads/t1/entries", () => new TypeError("away"));
    made.sockets.last.events.closed();
    await made.inbox.show({ status: "all", filter: "all" });
    await made.inbox.open("t1");
    expect(made.inbox.list.problem.get()).not.toBeNull();
    expect(made.inbox.thread("t1").problem.get()).not.toBeNull();
    made.server
      .on("GET /threads", { body: { items: [row("t5"), row("t2")], next_cursor: null } })
      .on("GET /threads/t1/entries", { body: page([entry("e1", "t1")]) });
    made.inbox.stream.retryNow();
    made.sockets.say({ type: "hello", position: 10 });
    await settled();
    expect(made.inbox.list.order.get()).toContain("t5");
    expect(made.inbox.list.problem.get()).toBeNull();
    expect(entries(made, "t1")).toEqual(["Text of e1"]);
    expect(made.inbox.thread("t1").problem.get()).toBeNull();
  });

  it("does so as well where sockets do not come back and it polls", async () => {
    const made = await started();
    await made.inbox.open("t1");
    made.sockets.last.events.closed();
    made.server.on("GET /threads/t1", () => new TypeError("away"));
    await made.inbox.thread("t1").refreshDetail();
    expect(made.inbox.thread("t1").detailProblem.get()).not.toBeNull();
    made.server.on("GET /threads/t1", { body: row("t1") });
    made.inbox.stream.state.set("polling");
    await settled();
    expect(made.inbox.thread("t1").detailProblem.get()).toBeNull();
  });

  it("leaves unread what could not be marked as read, and does it when the stream is back", async () => {
    const made = await started(({ server }) => {
      server.on("POST /threads/t1/read", () => new TypeError("away"));
    });
    await made.inbox.open("t1");
    push(made, added(entry("e2", "t1")), changed(row("t1", { unread: 2 })));
    expect(made.inbox.rows.get("t1")?.unread).toBe(0);
    await settled();
    expect(made.inbox.rows.get("t1")?.unread).toBe(2);
    made.sockets.last.events.closed();
    made.server.on("POST /threads/t1/read", { body: row("t1") });
    made.inbox.stream.retryNow();
    made.sockets.say({ type: "hello", position });
    await settled();
    expect(made.inbox.rows.get("t1")?.unread).toBe(0);
    expect(made.server.last("POST /threads/t1/read")?.body).toEqual({ up_to: "e2" });
  });

  it("goes on with what it could read", async () => {
    const made = await started(({ server }) => {
      server
        .on("GET /members", { status: 500 })
        .on("GET /channels", { status: 500 })
        .on("GET /threads/counts", { status: 500 });
    });
    expect(made.inbox.list.order.get()).toHaveLength(2);
    expect(made.inbox.counts.get()).toBeNull();
    expect(made.inbox.channelsProblem.get()).toContain("500");
    expect(await made.inbox.show({ status: "open", filter: "all" })).toContain("500");

    // As soon as there is a stream again it reads what it could not.
    made.server
      .on("GET /members", { body: [{ id: "m1", name: "Ana", available: true }] })
      .on("GET /channels", { body: [channel("a")] })
      .on("GET /threads/counts", { body: counts });
    expect(await made.inbox.show({ status: "open", filter: "all" })).toBeNull();
    made.sockets.last.events.closed();
    made.inbox.stream.retryNow();
    made.sockets.say({ type: "hello", position: made.inbox.stream.position ?? 0 });
    await settled();
    expect(made.inbox.channels.get().size).toBe(1);
    expect(made.inbox.channelsProblem.get()).toBeNull();
    expect(made.inbox.members.get()).toHaveLength(1);
  });

  it("gathers changes for a frame and patches what they touch", async () => {
    const made = await started();
    push(made, changed(row("t2", { unread: 1, sort_at: minutesAgo(0) })));
    expect(made.inbox.list.order.get()).toEqual(["t2", "t1"]);
    push(made, { type: "something.new" });
  });

  it("knows how a channel is, also what was said of it while there was no connection", async () => {
    const made = await started();
    const at = made.inbox.stream.position ?? 0;
    const told = { type: "channel.changed", position: at, channel: channel("a", { state: "off" }) };
    made.sockets.frame({ from: at, to: at, changes: [told] });
    const state = () => made.inbox.channels.get().get("a")?.state;
    expect(state()).toBe("off");
    made.server.on("GET /channels", { body: [channel("a", { state: "degraded" })] });
    made.sockets.last.events.closed();
    made.inbox.stream.retryNow();
    made.sockets.say({ type: "hello", position: at });
    await settled();
    expect(state()).toBe("degraded");
  });

  it("knows who there is, whenever that changes", async () => {
    const made = await started();
    const names = () => made.inbox.members.get().map(({ name }) => name);
    const before = names();
    made.server.on("GET /members", { body: [{ ...mira, name: "Mira Holm" }] });
    push(made, { type: "members.changed" });
    await settled();
    expect(names()).toEqual(["Mira Holm"]);
    expect(names()).not.toEqual(before);
    expect(made.inbox.membersChanged.get()).toBe(made.inbox.stream.position);
    made.server.on("GET /members", { body: [mira] });
    made.sockets.say({ type: "reload", position: 900 });
    await settled();
    expect(names()).toEqual([mira.name]);
  });

  it("tells who has written a message what was decided on it, once", async () => {
    const made = await started();
    const toasts = () => made.inbox.toasts.shown.get().map(({ text }) => text);
    const decide = (id: string, change: Partial<Entry>, more: object) => {
      const approval = { ...decided, ...more };
      const changes = { direction: "out", approval, ...change } as Partial<Entry>;
      push(made, { type: "entry.changed", entry: entry(id, "t1", changes) });
    };
    decide("o1", { status: "pending" }, { state: "waiting" });
    decide("o2", { status: "rejected" }, { state: "rejected", member_id: "somebody" });
    expect(toasts()).toEqual([]);
    decide("o1", { status: "pending" }, {});
    decide("o1", { status: "sent" }, {});
    decide("o3", { status: "rejected" }, { state: "rejected", reason: "Too blunt" });
    const who = made.inbox.rows.get("t1")?.contact.display ?? "";
    expect(toasts()).toEqual([
      `Ana approved your message to ${who}`,
      `Ana rejected your message to ${who}: Too blunt`,
    ]);
  });

  it("hands on what the stream says of the approval queue", async () => {
    const made = await started();
    push(made, { type: "approval.changed", approval: { id: "1" } as Approval });
    expect(made.inbox.approval.get()?.approval.id).toBe("1");
  });

  it("withdraws what waits for approval", async () => {
    const made = await started();
    const waits = entry("o1", "t1", { direction: "out", status: "pending_approval" });
    made.server.on("POST /approvals/o1/withdraw", { body: { ...waits, status: "canceled" } });
    await made.inbox.thread("t1").open();
    await made.inbox.entryAction(waits, "withdraw");
    expect(made.server.asked("POST /approvals/o1/withdraw")).toBe(1);
  });

  it("applies what arrives within one frame together", async () => {
    const frames: (() => void)[] = [];
    const made = world();
    made.ports.nextFrame = (run) => frames.push(run);
    made.inbox.start(open);
    made.sockets.say({ type: "hello", position: 10 });
    await settled();
    push(made, changed(row("t2", { unread: 1 })));
    push(made, changed(row("t2", { unread: 2 })));
    expect(frames).toHaveLength(1);
    expect(made.inbox.rows.get("t2")?.unread).toBe(0);
    frames[0]?.();
    expect(made.inbox.rows.get("t2")?.unread).toBe(2);
  });

  it("fetches a row that cannot be patched, and the list if that fails", async () => {
    const made = await started(({ server }) => {
      server.on("GET /threads/t9", { body: detail("t9"), position: 30 });
    });
    push(made, added(entry("x", "t9")), added(entry("y", "t9")));
    await settled();
    expect(made.server.asked("GET /threads/t9")).toBe(1);
    expect(made.inbox.list.order.get()).toContain("t9");
    push(made, { type: "thread.changed", thread: { id: "t8" } as ThreadRow });
    await settled();
    expect(made.server.asked("GET /threads")).toBe(2);
    push(made, { type: "thread.changed" });
    await settled();
    expect(made.server.asked("GET /threads")).toBe(3);
  });

  it("reads who the contact is again when that has changed, of the open conversation", async () => {
    const made = await started(({ server }) => {
      server.on("GET /threads/t1", { body: detail("t1") });
    });
    await made.inbox.open("t1");
    await settled();
    const asked = () => made.server.asked("GET /threads/t1");
    const before = asked();
    const known = row("t1");
    push(made, changed({ ...known, status: "closed" }));
    await settled();
    expect(asked()).toBe(before);
    push(made, changed({ ...known, status: "closed" }));
    await settled();
    expect(asked()).toBe(before + 1);
    const contact = { ...known.contact, name: "Ines", display: "Ines" };
    push(made, changed({ ...known, contact }));
    await settled();
    expect(asked()).toBe(before + 2);
    push(made, changed(row("t2")));
    await settled();
    expect(asked()).toBe(before + 2);
  });

  it("opens a conversation, reads it for the team, and reads what arrives", async () => {
    const made = await started(({ server }) => {
      server
        .on("GET /threads", { body: { items: [row("t1", { unread: 2 })], next_cursor: null } })
        .on("GET /threads/t1", { body: detail("t1", { unread: 2 }) })
        .on("POST /threads/t1/read", { body: row("t1") });
    });
    await made.inbox.open("t1");
    await settled();
    expect(made.server.last("POST /threads/t1/read")?.body).toEqual({ up_to: "e1" });
    expect(made.inbox.rows.get("t1")?.unread).toBe(0);
    push(made, added(entry("e2", "t1")), changed(row("t1", { unread: 1 })));
    await settled();
    expect(made.server.last("POST /threads/t1/read")?.body).toEqual({ up_to: "e2" });
    expect(made.inbox.announcement.get()).toBe("New message from Contact t1: Text of e2");
    push(made, added(entry("e3", "t1")));
    expect(made.inbox.announcement.get()).toContain("e2");
  });

  it("does not read what nobody sees, and reads it when somebody looks", async () => {
    const made = await started(({ server }) => {
      server.on("POST /threads/t1/read", { status: 500 });
    });
    await made.inbox.open("t1");
    made.visible.set(false);
    push(made, added(entry("e2", "t1")), changed(row("t1", { unread: 1 })));
    await settled();
    expect(made.server.asked("POST /threads/t1/read")).toBe(0);
    made.visible.set(true);
    await settled();
    expect(made.server.asked("POST /threads/t1/read")).toBe(1);
    push(made, changed(row("t1", { unread: 1 })));
    await settled();
    expect(made.server.asked("POST /threads/t1/read")).toBe(2);
  });

  it("leaves an open conversation alone when others move", async () => {
    const made = await started();
    await made.inbox.open("t1");
    const before = made.inbox.thread("t1").entries.get();
    const asked = made.server.requests.length;
    push(made, added(entry("f9", "t2")), changed(row("t2", { unread: 4, sort_at: minutesAgo(0) })));
    await settled();
    expect(made.inbox.thread("t1").entries.get()).toBe(before);
    expect(made.server.requests.length).toBe(asked);
    expect(made.inbox.announcement.get()).toBe("");
  });

  it("comes back to a conversation as it was left, with a line above what is new", async () => {
    const made = await started(({ server }) => {
      server.on("POST /threads/t1/read", { body: row("t1") });
    });
    await made.inbox.open("t1");
    await made.inbox.open("t2");
    push(made, added(entry("e2", "t1")), changed(row("t1", { unread: 1 })));
    await made.inbox.open("t1");
    expect(made.server.asked("GET /threads/t1/entries")).toBe(1);
    expect(made.inbox.thread("t1").unreadFrom.get()).toBe("e2");
    await made.inbox.open(null);
    expect(made.inbox.thread("t1").unreadFrom.get()).toBeNull();
  });

  it("keeps the last fifty conversations, and reads ahead", async () => {
    const made = await started();
    made.inbox.prefetch("t1");
    made.inbox.prefetch("t1");
    await settled();
    expect(made.server.asked("GET /threads/t1/entries")).toBe(1);
    await made.inbox.open("t1");
    const first = made.inbox.thread("t2");
    for (let n = 0; n < 60; n += 1) made.inbox.thread(`x${String(n)}`);
    expect(made.inbox.thread("t2")).not.toBe(first);
    expect(made.inbox.thread("t1").state.get()).toBe("ready");
  });

  it("asks again for what may have changed what can be sent", async () => {
    const made = await started();
    await made.inbox.open("t1");
    const asked = made.server.asked("GET /threads/t1");
    push(made, added(entry("s1", "t1", { kind: "system", direction: "internal" })));
    await settled();
    expect(made.server.asked("GET /threads/t1")).toBe(asked + 1);
    push(made, added(entry("o1", "t1", { direction: "out" })));
    await settled();
    expect(made.server.asked("GET /threads/t1")).toBe(asked + 1);
  });

  it("reads everything again when told to, and after the session came back", async () => {
    const made = await started();
    await made.inbox.open("t1");
    made.sockets.say({ type: "reload", position: 90 });
    await settled();
    expect(made.server.asked("GET /threads/t1/entries")).toBe(2);
    expect(made.server.asked("GET /threads")).toBe(2);
    await made.inbox.open(null);
    made.inbox.resume();
    await settled();
    expect(made.server.asked("GET /threads")).toBe(3);
    expect(made.server.asked("GET /members")).toBe(3);
  });

  it("says that it is back in step only if the open conversation changed", async () => {
    const made = await started();
    await made.inbox.open("t1");
    const outage = (next: Omit<Change, "position">) => {
      made.sockets.last.events.closed();
      made.clock.pass(5_000);
      made.inbox.stream.retryNow();
      const from = made.inbox.stream.position ?? 0;
      made.sockets.say({ type: "hello", position: from + 1 });
      push(made, next);
    };
    outage(changed(row("t2", { unread: 1 })));
    expect(made.inbox.toasts.shown.get()).toHaveLength(0);
    outage(added(entry("e5", "t1")));
    expect(made.inbox.toasts.shown.get()[0]?.text).toBe("Back in step: 1 change");
  });

  it("asks for counts itself while it polls", async () => {
    const made = await started();
    made.inbox.stream.state.set("polling");
    const asked = made.server.asked("GET /threads/counts");
    push(made, changed(row("t2", { unread: 3 })));
    await settled();
    expect(made.server.asked("GET /threads/counts")).toBe(asked + 1);
  });

  it("asks the server for what the stream has skipped", async () => {
    const made = await started(({ server }) => {
      server.on("GET /changes", ({ query }) => {
        expect(query.get("since")).toBe("10");
        const change = { ...changed(row("t2", { unread: 5 })), position: 12 };
        return { body: { from: 10, to: 12, changes: [change] } };
      });
    });
    made.sockets.frame({ from: 11, to: 12, changes: [] });
    await settled();
    expect(made.inbox.rows.get("t2")?.unread).toBe(5);
  });
});

describe("what a person does to a conversation", () => {
  it("is shown at once and confirmed later", async () => {
    const answer = later<{ body: unknown; position: number }>();
    const made = await started(({ server }) => {
      server.on("PATCH /threads/t1", () => answer.promise);
    });
    made.inbox.assign("t1", ana);
    expect(made.inbox.rows.get("t1")?.assignee).toBe(ana);
    expect(made.inbox.list.flashes.at("t1").get()).toBe(0);
    push(made, changed(row("t1", { assignee: ana })));
    expect(made.inbox.list.flashes.at("t1").get()).toBe(0);
    answer.keep({ body: row("t1", { assignee: mira }), position: 40 });
    await settled();
    expect(made.server.last("PATCH /threads/t1")?.body).toEqual({ assignee_id: "m2" });
    expect(made.inbox.rows.get("t1")?.assignee?.id).toBe("m1");
  });

  it("is rolled back alone when it is refused, with a way to try again", async () => {
    const made = await started(({ server }) => {
      server.on("PATCH /threads/t1", { status: 403 });
    });
    made.inbox.setClosed("t1", true);
    expect(made.inbox.rows.get("t1")?.status).toBe("closed");
    await settled();
    expect(made.inbox.rows.get("t1")).toMatchObject({ status: "open", unread: 0 });
    const [toast] = made.inbox.toasts.shown.get();
    expect(toast?.text).toBe(
      "The conversation was not closed. You do not have the right to do this.",
    );
    made.server.on("PATCH /threads/t1", { body: row("t1", { status: "closed" }), position: 50 });
    toast?.action?.run();
    await settled();
    expect(made.inbox.rows.get("t1")?.status).toBe("closed");
  });

  it("stays where the stream has told of it, though no answer came", async () => {
    const answer = later<Error>();
    const made = await started(({ server }) => {
      server.on("PATCH /threads/t1", () => answer.promise as never);
    });
    made.inbox.setClosed("t1", true);
    push(made, changed(row("t1", { status: "closed", unread: 3 })));
    answer.keep(new TypeError("lost"));
    await settled();
    expect(made.inbox.rows.get("t1")).toMatchObject({ status: "closed", unread: 3 });
    expect(made.inbox.toasts.shown.get()).toHaveLength(1);
  });

  it("goes back to what the server has told when one after the other fails", async () => {
    const [first, second] = [later<Error>(), later<Error>()];
    const answers = [first, second];
    const made = await started(({ server }) => {
      server.on("PATCH /threads/t1", () => answers.shift()?.promise as never);
    });
    made.inbox.setClosed("t1", true);
    made.inbox.setClosed("t1", false);
    first.keep(new TypeError("lost"));
    second.keep(new TypeError("lost"));
    await settled();
    expect(made.inbox.rows.get("t1")?.status).toBe("open");
  });

  it("covers reopening, needs response and nobody", async () => {
    const made = await started(({ server }) => {
      server.on("PATCH /threads/t1", ({ body }) => ({ body: row("t1", body), position: 20 }));
    });
    const sent = () => made.server.last("PATCH /threads/t1")?.body;
    made.inbox.setClosed("t1", false);
    await settled();
    expect(sent()).toEqual({ status: "open" });
    made.inbox.setNeedsResponse("t1", true);
    await settled();
    expect(sent()).toEqual({ needs_response: true });
    made.inbox.assign("t1", null);
    await settled();
    expect(sent()).toEqual({ assignee_id: null });
  });

  it("keeps a conversation unread when told to, until told otherwise", async () => {
    const made = await started(({ server }) => {
      server
        .on("POST /threads/t1/unread", { body: row("t1", { unread: 1 }) })
        .on("POST /threads/t1/read", { body: row("t1") });
    });
    await made.inbox.open("t1");
    await made.inbox.markUnread("t1");
    expect(made.inbox.rows.get("t1")?.unread).toBe(1);
    push(made, changed(row("t1", { unread: 1 })));
    await settled();
    expect(made.server.asked("POST /threads/t1/read")).toBe(0);
    await made.inbox.markUnread("t1");
    expect(made.server.asked("POST /threads/t1/unread")).toBe(1);
    await made.inbox.markRead("t1");
    await settled();
    expect(made.server.asked("POST /threads/t1/read")).toBe(1);
    await made.inbox.markRead("t2");
    expect(made.inbox.thread("t2").state.get()).toBe("ready");
    push(made, changed(row("t1", { unread: 0 })));
    made.server.on("POST /threads/t1/unread", { status: 500 });
    await made.inbox.markUnread("t1");
    expect(made.inbox.rows.get("t1")?.unread).toBe(0);
    made.server.on("POST /threads/t1/unread", { body: row("t1", { unread: 1 }) });
    made.inbox.toasts.shown.get()[0]?.action?.run();
    await settled();
    expect(made.inbox.rows.get("t1")?.unread).toBe(1);
  });
});

describe("sending", () => {
  const sent = (key: string, text: string): Entry =>
    entry("e9", "t1", { direction: "out", text, idempotency_key: key, occurred_at: minutesAgo(0) });

  it("is in the thread at once, and finds its own by the answer", async () => {
    const answer = later<{ status: number; body: unknown; position: number }>();
    const made = await started(({ server }) => {
      server.on("POST /threads/t1/messages", () => answer.promise);
    });
    await made.inbox.open("t1");
    const draft = draftOf(made, "t1");
    draft.write({ text: " Hello " });
    expect(made.inbox.send(made.inbox.thread("t1"), draft)).toBe(true);
    expect(pending(made, "t1")).toEqual(["Hello"]);
    expect(draft.content.get().text).toBe("");
    await settled();
    const request = made.server.last("POST /threads/t1/messages");
    expect(request?.headers.get("Idempotency-Key")).toBe("key-1");
    expect(request?.body).toEqual({
      channel_id: "a",
      contact_id: "c-t1",
      body: "Hello",
      to: "+15550100",
      from: "+15550001",
      attachment_ids: [],
    });
    answer.keep({ status: 201, body: sent("key-1", "Hello"), position: 12 });
    await settled();
    expect(pending(made, "t1")).toEqual([]);
    expect(entries(made, "t1")).toEqual(["Text of e1", "Hello"]);
    expect(made.storage.keys()).toEqual([]);
  });

  it("sends a template with its values, and says which of them is wrong", async () => {
    const made = await started(({ server }) => {
      const [a] = detail("t1").compose;
      const only = a && { ...a, can_send: false, may: "template" as const };
      server.on("GET /threads/t1", { body: detail("t1", { compose: only ? [only] : [] }) });
      server.on("POST /threads/t1/messages", {
        status: 422,
        body: {
          detail: "A value does not fit.",
          errors: [
            { field: "variables.2", message: "Too long" },
            { field: "body", message: "" },
          ],
        },
      });
    });
    await made.inbox.open("t1");
    const thread = made.inbox.thread("t1");
    const draft = draftOf(made, "t1");
    draft.write({ text: "Mine" });
    expect(made.inbox.send(thread, draft)).toBe(false);
    const reply = { entry_id: "e1", text: "When?", direction: "in" as const };
    const template = { name: "hi", language: "en", values: { "1": "Elif", "2": " " }, text: "Hi" };
    draft.write({ reply, template });
    expect(made.inbox.sendable(draft)).toBe(false);
    draft.write({ template: { ...template, values: { "1": "Elif", "2": "x" } } });
    expect(made.inbox.send(thread, draft)).toBe(true);
    expect(pending(made, "t1")).toEqual(["Hi"]);
    expect(thread.pending.get()[0]?.answers).toEqual(reply);
    await settled();
    expect(made.server.last("POST /threads/t1/messages")?.body).toMatchObject({
      body: "",
      reply_to: "e1",
      template: { name: "hi", language: "en" },
      variables: { "1": "Elif", "2": "x" },
    });
    expect(draft.content.get()).toMatchObject({
      text: "Mine",
      refusal: "A value does not fit.",
      faults: { "2": "Too long" },
      template: { name: "hi" },
    });
  });

  it("lets go of an entry that turned out to be another one", async () => {
    const made = await started();
    await made.inbox.open("t1");
    push(made, { type: "entry.removed", entry_id: "e1", thread_id: "t1" });
    expect(entries(made, "t1")).toEqual([]);
    push(made, { type: "entry.removed" });
  });

  it("shows a moved call where it stands now alone", async () => {
    const call = callOf({ unresolved: true });
    const made = await started(({ server }) => {
      server.on("GET /threads/t9", { body: detail("t9") });
      server.on("POST /entries/e1/resolve", {
        body: entry("e1", "t9", { kind: "call", call }),
        position: 14,
      });
    });
    await made.inbox.open("t1");
    await made.inbox.open("t2");
    made.inbox.learnEntry(entry("e1", "t2", { kind: "call", call }), 12);
    expect(entries(made, "t1")).toEqual([]);
    expect(entries(made, "t2")).toContain("Text of e1");
    await made.inbox.entryAction(entry("e1", "t2"), "resolved");
    await settled();
    expect(entries(made, "t2")).not.toContain("Text of e1");
    expect(made.inbox.rows.get("t9")?.id).toBe("t9");
  });

  it("finds its own by the stream as well, whichever is first", async () => {
    const answer = later<{ status: number; body: unknown; position: number }>();
    const made = await started(({ server }) => {
      server.on("POST /threads/t1/messages", () => answer.promise);
    });
    await made.inbox.open("t1");
    const draft = draftOf(made, "t1");
    draft.write({ text: "Hello" });
    made.inbox.send(made.inbox.thread("t1"), draft);
    push(made, added({ ...sent("key-1", "Hello"), status: "sent" }));
    expect(pending(made, "t1")).toEqual([]);
    answer.keep({ status: 201, body: sent("key-1", "Hello"), position: 5 });
    await settled();
    expect(entries(made, "t1")).toEqual(["Text of e1", "Hello"]);
    expect(made.inbox.thread("t1").entries.get().at(-1)?.status).toBe("sent");
  });

  it("gives a refused draft back, and says why", async () => {
    const made = await started(({ server }) => {
      server.on("POST /threads/t1/messages", {
        status: 422,
        body: { type: "", title: "", status: 422, detail: "Opted out." },
      });
    });
    await made.inbox.open("t1");
    const draft = draftOf(made, "t1");
    draft.write({ text: "Hello", cc: "a@x.org, b@x.org", bcc: "c@x.org" });
    made.inbox.send(made.inbox.thread("t1"), draft);
    await settled();
    expect(made.server.last("POST /threads/t1/messages")?.body).toMatchObject({
      cc: ["a@x.org", "b@x.org"],
      bcc: ["c@x.org"],
    });
    expect(draft.content.get()).toMatchObject({ cc: "a@x.org, b@x.org", bcc: "c@x.org" });
    expect(draft.content.get()).toMatchObject({ text: "Hello", refusal: "Opted out." });
    expect(pending(made, "t1")).toEqual([]);
    expect(made.inbox.toasts.shown.get()).toHaveLength(0);
    made.inbox.send(made.inbox.thread("t1"), draft);
    await made.inbox.open("t2");
    await settled();
    expect(made.inbox.toasts.shown.get()[0]?.text).toBe(
      "The message to Contact t1 was not sent: Opted out.",
    );
  });

  it("waits for a server that is away, and goes once under one key", async () => {
    let away = true;
    const made = await started(({ server }) => {
      server.on("POST /threads/t1/notes", ({ body, headers }) =>
        away
          ? new TypeError("no network")
          : { status: 201, body: sent(headers.get("Idempotency-Key") ?? "", String(body["body"])) },
      );
    });
    await made.inbox.open("t1");
    const draft = draftOf(made, "t1", "note");
    draft.write({ text: "For the team" });
    made.inbox.send(made.inbox.thread("t1"), draft);
    await settled();
    expect(pending(made, "t1")).toEqual(["For the team"]);
    made.clock.pass(1_000);
    await settled();
    expect(made.server.asked("POST /threads/t1/notes")).toBe(2);
    expect(made.storage.keys()).toHaveLength(1);
    away = false;
    made.sockets.last.events.closed();
    made.inbox.stream.retryNow();
    made.sockets.say({ type: "hello", position: 10 });
    await settled();
    expect(made.server.asked("POST /threads/t1/notes")).toBe(3);
    expect(entries(made, "t1")).toContain("For the team");
    const keys = made.server.requests
      .filter((request) => request.route === "POST /threads/t1/notes")
      .map((request) => request.headers.get("Idempotency-Key"));
    expect(new Set(keys).size).toBe(1);
    expect(made.storage.keys()).toEqual([]);
  });

  it("does not send again what the stream has shown, and waits as long as it is told", async () => {
    const made = await started(({ server }) => {
      server.on("POST /threads/t1/messages", { status: 503, headers: { "Retry-After": "7" } });
    });
    await made.inbox.open("t1");
    const draft = draftOf(made, "t1");
    draft.write({ text: "Hello" });
    made.inbox.send(made.inbox.thread("t1"), draft);
    await settled();
    made.clock.pass(6_999);
    await settled();
    expect(made.server.asked("POST /threads/t1/messages")).toBe(1);
    push(made, added(sent("key-1", "Hello")));
    made.clock.pass(60_000);
    await settled();
    expect(made.server.asked("POST /threads/t1/messages")).toBe(1);
    draft.write({ text: "Again" });
    made.inbox.send(made.inbox.thread("t1"), draft);
    await settled();
    made.inbox.stop();
    made.clock.pass(60_000);
    expect(made.server.asked("POST /threads/t1/messages")).toBe(2);
  });

  it("never takes a draft of somebody else, or of a channel that cannot be sent on", async () => {
    const made = await started();
    await made.inbox.open("t1");
    const thread = made.inbox.thread("t1");
    const other = draftOf(made, "t2");
    other.write({ text: "For the second" });
    expect(made.inbox.send(thread, other)).toBe(false);
    const blocked = draftOf(made, "t1", "b");
    blocked.write({ text: "Opted out" });
    expect(made.inbox.send(thread, blocked)).toBe(false);
    const empty = draftOf(made, "t1");
    empty.write({ text: "  " });
    expect(made.inbox.send(thread, empty)).toBe(false);
    expect(made.server.asked("POST /threads/t1/messages")).toBe(0);
  });

  it("keeps what is typed for one contact from another, however fast one switches", async () => {
    const slow = later<{ body: unknown }>();
    const made = await started(({ server }) => {
      server
        .on("GET /threads/t2", () => slow.promise)
        .on("POST /threads/t2/messages", ({ body }) => ({
          status: 201,
          body: entry("f9", "t2", { text: String(body["body"]) }),
        }));
    });
    await made.inbox.open("t1");
    draftOf(made, "t1").write({ text: "Only for the first" });
    void made.inbox.open("t2");
    const second = draftOf(made, "t2");
    expect(second.content.get().text).toBe("");
    expect(made.inbox.send(made.inbox.thread("t2"), second)).toBe(false);
    second.write({ text: "For the second" });
    expect(made.inbox.send(made.inbox.thread("t2"), second)).toBe(false);
    slow.keep({ body: detail("t2") });
    await settled();
    expect(made.inbox.send(made.inbox.thread("t2"), second)).toBe(true);
    await settled();
    expect(made.server.last("POST /threads/t2/messages")?.body).toMatchObject({
      contact_id: "c-t2",
      body: "For the second",
    });
    expect(draftOf(made, "t1").content.get().text).toBe("Only for the first");
    expect(JSON.stringify(made.inbox.thread("t2").entries.get())).not.toContain("first");
  });

  it("starts a conversation, and says why not", async () => {
    const made = await started(({ server }) => {
      server
        .on("POST /messages", { status: 201, body: entry("n1", "t9"), position: 11 })
        .on("GET /threads/t9", { body: detail("t9"), position: 12 });
    });
    const body = { channel_id: "a", to: "+15550142", body: "Hello" };
    expect(await made.inbox.startConversation("k", body)).toEqual({ thread: "t9" });
    await settled();
    expect(made.inbox.list.order.get()).toContain("t9");
    expect(made.inbox.list.flashes.at("t9").get()).toBe(0);
    made.server.on("POST /messages", { status: 422, body: { detail: "Not a number." } });
    expect(await made.inbox.startConversation("k2", body)).toEqual({
      refusal: "Not a number.",
      unsure: false,
    });
    made.server.on("POST /messages", { status: 503, body: {} });
    expect(await made.inbox.startConversation("k3", body)).toMatchObject({ unsure: true });
  });
});

describe("an entry", () => {
  const failed = entry("e1", "t1", { direction: "out", status: "failed" });

  it("is canceled, retried and resolved", async () => {
    const answer = (status: Entry["status"], at: number) => ({
      body: { ...failed, status, status_at: minutesAgo(-at) },
      position: 20 + at,
    });
    const made = await started(({ server }) => {
      server
        .on("GET /threads/t1/entries", { body: page([failed]) })
        .on("POST /entries/e1/retry", answer("pending", 1))
        .on("POST /entries/e1/cancel", answer("canceled", 2))
        .on("POST /entries/e1/resolve", answer("sent", 3));
    });
    await made.inbox.open("t1");
    const status = () => made.inbox.thread("t1").entries.get()[0]?.status;
    await made.inbox.entryAction(failed, "retry");
    expect(status()).toBe("pending");
    await made.inbox.entryAction(failed, "cancel");
    expect(status()).toBe("canceled");
    await made.inbox.entryAction(failed, "sent");
    expect(status()).toBe("sent");
    expect(made.server.last("POST /entries/e1/resolve")?.body).toEqual({ outcome: "sent" });
  });

  it("says when it was too late", async () => {
    const made = await started();
    for (const action of ["cancel", "retry", "sent"] as const)
      await made.inbox.entryAction(failed, action);
    expect(made.inbox.toasts.shown.get().map((toast) => toast.text)).toEqual([
      "The message was not canceled. It is no longer there.",
      "The message was not sent again. It is no longer there.",
      "The message was not marked as sent. It is no longer there.",
    ]);
    await made.inbox.entryAction(failed, "failed");
    expect(made.inbox.toasts.shown.get().at(-1)?.text).toMatch(/not marked as failed/);
  });
});

describe("files", () => {
  const file = { blob: new Blob(["x"]), name: "a.png", size: 1, type: "image/png" };
  const attachment = { id: "a1", name: "a.png", content_type: "image/png", size: 1 };

  it("upload into the draft they were given to, and go out with it", async () => {
    const made = await started(({ server }) => {
      server
        .on("POST /attachments", { status: 201, body: attachment })
        .on("POST /threads/t1/messages", { status: 201, body: entry("e9", "t1") });
    });
    await made.inbox.open("t1");
    const draft = draftOf(made, "t1");
    made.inbox.attach(draft, file);
    expect(draft.content.get().files[0]?.state).toBe("uploading");
    expect(made.inbox.sendable(draft)).toBe(false);
    await made.inbox.open("t2");
    await settled();
    expect(draft.content.get().files[0]?.state).toBe("ready");
    expect(draftOf(made, "t2").content.get().files).toEqual([]);
    expect(made.inbox.send(made.inbox.thread("t1"), draft)).toBe(true);
    await settled();
    expect(made.server.last("POST /threads/t1/messages")?.body["attachment_ids"]).toEqual(["a1"]);
  });

  it("are refused with the reason, tried again, and called off", async () => {
    const made = await started();
    await made.inbox.open("t1");
    const draft = draftOf(made, "t1");
    made.inbox.attach(draft, { ...file, type: "video/mp4" });
    expect(made.inbox.toasts.shown.get()[0]?.text).toMatch(/type/);
    made.inbox.attach(draft, file);
    await settled();
    const local = draft.content.get().files[0]?.local ?? "";
    expect(draft.content.get().files[0]).toMatchObject({ state: "failed" });
    made.server.on("POST /attachments", { status: 201, body: attachment });
    made.inbox.uploadAgain(draft, local);
    await settled();
    expect(draft.content.get().files[0]?.state).toBe("ready");
    made.inbox.uploadAgain(draft, local);
    made.inbox.detach(draft, local);
    expect(draft.content.get().files).toEqual([]);
    made.server.on("POST /attachments", { status: 413 });
    made.inbox.attach(draft, file);
    made.inbox.detach(draft, draft.content.get().files[0]?.local ?? "");
    await settled();
    expect(draft.content.get().files).toEqual([]);
  });

  it("are what their bytes say, whatever their names say", async () => {
    const made = await started(({ server }) => {
      const body = { ...attachment, content_type: "video/mp4" };
      server.on("POST /attachments", { status: 201, body });
    });
    await made.inbox.open("t1");
    const draft = draftOf(made, "t1");
    made.inbox.attach(draft, file);
    await settled();
    const [held] = draft.content.get().files;
    expect(held?.reason).toMatch(/The file is video\/mp4/);
    expect(made.inbox.canUploadAgain(held?.local ?? "")).toBe(false);
    expect(made.inbox.sendable(draft)).toBe(false);
  });

  it("tell how far they are", async () => {
    const made = world();
    const answer = later<Response>();
    made.ports.http = new Http({
      origin: "http://hub.test",
      fetch: made.server.fetch,
      upload: ({ progress }) => {
        progress(0.5);
        return answer.promise;
      },
    });
    made.inbox.channels.set(new Map([["a", channel("a")]]));
    const draft = draftOf(made, "t1");
    made.inbox.attach(draft, file);
    await settled();
    expect(draft.content.get().files[0]?.progress).toBe(0.5);
  });
});
