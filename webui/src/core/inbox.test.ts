import { describe, expect, it } from "vitest";

import {
  added,
  ana,
  changed,
  channel,
  counts,
  detail,
  entries,
  entry,
  later,
  minutesAgo,
  mira,
  organisation,
  page,
  push,
  row,
  settled,
  started,
  world,
} from "../../tests/world";
import type { Approval, Change, Entry, ThreadRow } from "./wire";

const open = { status: "open", filter: "all" } as const;

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
    made.sockets.say({ type: "hello", position: made.inbox.stream.position });
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
