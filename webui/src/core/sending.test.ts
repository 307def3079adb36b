import { describe, expect, it } from "vitest";

import {
  added,
  callOf,
  detail,
  draftOf,
  entries,
  entry,
  later,
  minutesAgo,
  pending,
  push,
  settled,
  started,
} from "../../tests/world";
import type { Entry } from "./wire";

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
    expect(made.inbox.sender.send(made.inbox.thread("t1"), draft)).toBe(true);
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
    expect(made.inbox.sender.send(thread, draft)).toBe(false);
    const reply = { entry_id: "e1", text: "When?", direction: "in" as const };
    const template = { name: "hi", language: "en", values: { "1": "Elif", "2": " " }, text: "Hi" };
    draft.write({ reply, template });
    expect(made.inbox.sender.sendable(draft)).toBe(false);
    draft.write({ template: { ...template, values: { "1": "Elif", "2": "x" } } });
    expect(made.inbox.sender.send(thread, draft)).toBe(true);
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
    made.inbox.sender.send(made.inbox.thread("t1"), draft);
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
    made.inbox.sender.send(made.inbox.thread("t1"), draft);
    await settled();
    expect(made.server.last("POST /threads/t1/messages")?.body).toMatchObject({
      cc: ["a@x.org", "b@x.org"],
      bcc: ["c@x.org"],
    });
    expect(draft.content.get()).toMatchObject({ cc: "a@x.org, b@x.org", bcc: "c@x.org" });
    expect(draft.content.get()).toMatchObject({ text: "Hello", refusal: "Opted out." });
    expect(pending(made, "t1")).toEqual([]);
    expect(made.inbox.toasts.shown.get()).toHaveLength(0);
    made.inbox.sender.send(made.inbox.thread("t1"), draft);
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
    made.inbox.sender.send(made.inbox.thread("t1"), draft);
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
    made.inbox.sender.send(made.inbox.thread("t1"), draft);
    await settled();
    made.clock.pass(6_999);
    await settled();
    expect(made.server.asked("POST /threads/t1/messages")).toBe(1);
    push(made, added(sent("key-1", "Hello")));
    made.clock.pass(60_000);
    await settled();
    expect(made.server.asked("POST /threads/t1/messages")).toBe(1);
    draft.write({ text: "Again" });
    made.inbox.sender.send(made.inbox.thread("t1"), draft);
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
    expect(made.inbox.sender.send(thread, other)).toBe(false);
    const blocked = draftOf(made, "t1", "b");
    blocked.write({ text: "Opted out" });
    expect(made.inbox.sender.send(thread, blocked)).toBe(false);
    const empty = draftOf(made, "t1");
    empty.write({ text: "  " });
    expect(made.inbox.sender.send(thread, empty)).toBe(false);
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
    expect(made.inbox.sender.send(made.inbox.thread("t2"), second)).toBe(false);
    second.write({ text: "For the second" });
    expect(made.inbox.sender.send(made.inbox.thread("t2"), second)).toBe(false);
    slow.keep({ body: detail("t2") });
    await settled();
    expect(made.inbox.sender.send(made.inbox.thread("t2"), second)).toBe(true);
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
    expect(await made.inbox.sender.startConversation("k", body)).toEqual({ thread: "t9" });
    await settled();
    expect(made.inbox.list.order.get()).toContain("t9");
    expect(made.inbox.list.flashes.at("t9").get()).toBe(0);
    made.server.on("POST /messages", { status: 422, body: { detail: "Not a number." } });
    expect(await made.inbox.sender.startConversation("k2", body)).toEqual({
      refusal: "Not a number.",
      unsure: false,
    });
    made.server.on("POST /messages", { status: 503, body: {} });
    expect(await made.inbox.sender.startConversation("k3", body)).toMatchObject({ unsure: true });
  });
});
