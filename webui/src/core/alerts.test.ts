import { describe, expect, it } from "vitest";

import { ana, channel, entry, mira, organisation, row, settled, world } from "../../tests/world";
import type { World } from "../../tests/world";
import { Alerts, isQuiet, type Note } from "./alerts";
import { formatPlace } from "./place";
import type { AlertChoices, Change, Entry } from "./wire";

interface Alerted extends World {
  notes: Note[];
  went: string[];
  chimes: () => number;
  end: () => void;
}

const everything: AlertChoices = {
  off: [],
  whose: "all",
  sound: true,
  text: false,
  quiet: { on: false, start: "21:00", end: "08:00", zone: "UTC" },
};
const choices = (change: Partial<AlertChoices> = {}) => ({ alerts: { ...everything, ...change } });

async function alerted(
  change: Partial<AlertChoices> | null = {},
  capabilities = organisation.capabilities,
): Promise<Alerted> {
  const made = world();
  if (change) made.server.on("GET /membership", { body: choices(change) });
  Object.assign(made.inbox, { organisation: { ...organisation, capabilities } });
  const notes: Note[] = [];
  const went: string[] = [];
  let chimes = 0;
  made.inbox.start({ status: "open", filter: "all" });
  made.sockets.say({ type: "hello", position: 10 });
  const end = new Alerts(made.inbox, {
    chime: () => (chimes += 1),
    notify: (note) => notes.push(note),
    go: (place) => went.push(formatPlace(place)),
  }).begin();
  await settled();
  return { ...made, notes, went, end, chimes: () => chimes };
}

function push({ sockets, inbox }: World, ...changes: Omit<Change, "position">[]): void {
  const from = inbox.stream.position ?? 0;
  const placed = changes.map((change, at) => ({ ...change, position: from + at + 1 }));
  sockets.frame({ from, to: from + placed.length, changes: placed });
}

const came = (alert: Change["alert"], of: Entry): Omit<Change, "position"> => ({
  type: "entry.added",
  entry: of,
  alert: alert ?? null,
});
const texts = ({ inbox }: World) => inbox.toasts.shown.get().map((toast) => toast.text);

describe("an alert", () => {
  it("names who it is, shows what came, makes a sound, and leads there", async () => {
    const made = await alerted();
    push(made, came("text", entry("n1", "t1")));
    const [toast] = made.inbox.toasts.shown.get();
    expect([toast?.text, toast?.detail]).toEqual(["New message from Contact t1", "Text of n1"]);
    expect(made.chimes()).toBe(1);
    expect(made.notes).toEqual([]);
    toast?.action?.run();
    expect(made.went).toEqual(["/messages?conversation=t1&status=all"]);
  });

  it("is one for each conversation, of whatever kind", async () => {
    const made = await alerted();
    const call = { kind: "call", text: "" } as const;
    push(
      made,
      came("text", entry("n1", "t1")),
      came("email", entry("n2", "t1", { subject: "Tap" })),
    );
    expect(texts(made)).toEqual(["New email from Contact t1"]);
    expect(made.inbox.toasts.shown.get()[0]?.detail).toBe("Tap");
    push(made, came("call", entry("n3", "t2", call)), came("voicemail", entry("n4", "t9", call)));
    expect(texts(made)).toEqual([
      "New email from Contact t1",
      "Call from Contact t2",
      "New voicemail from +1 555 0100",
    ]);
  });

  it("of many messages is one that says how many, and leads to what is unread", async () => {
    const made = await alerted();
    const call = { kind: "call", text: "" } as const;
    push(
      made,
      came("text", entry("n1", "t1")),
      came("email", entry("n2", "t2")),
      came("call", entry("n3", "t3", call)),
      came("text", entry("n4", "t4")),
    );
    expect(texts(made)).toEqual(["3 new messages", "Call from +1 555 0100"]);
    made.inbox.toasts.shown.get()[0]?.action?.run();
    expect(made.went).toEqual(["/messages?status=unread"]);
  });

  it("is not made of what is looked at, of changes that are none, or twice of a missing address", async () => {
    const made = await alerted();
    await made.inbox.open("t1");
    push(made, came("text", entry("n1", "t1")), came(null, entry("n2", "t2")));
    push(made, { type: "entry.added", entry: entry("n3", "t2") });
    expect(texts(made)).toEqual([]);
    expect(made.chimes()).toBe(0);
    push(made, came("text", entry("n4", "t8", { address: null })));
    expect(texts(made)).toEqual(["New message from "]);
  });

  it("is a notification while nobody sees the page, without what was written unless that is wanted", async () => {
    const made = await alerted();
    await made.inbox.open("t1");
    made.visible.set(false);
    await settled();
    push(made, came("text", entry("n1", "t1")));
    expect(texts(made)).toEqual([]);
    const path = "/messages?conversation=t1&status=all";
    expect(made.notes).toEqual([
      { tag: "t1", title: "New message from Contact t1", body: "", path },
    ]);
    made.inbox.alertChoices.set({ ...everything, text: true });
    push(made, came("text", entry("n2", "t1", { text: "x".repeat(200) })));
    expect(made.notes[1]?.body).toHaveLength(140);
  });

  it("is what was chosen: kinds, whose, and whether it is heard", async () => {
    const made = await alerted({ off: ["email"], whose: "own", sound: false });
    const rows = [row("t1", { assignee: ana }), row("t2", { assignee: mira })];
    push(made, ...rows.map((thread) => ({ type: "thread.changed", thread })));
    push(
      made,
      came("text", entry("n1", "t1")),
      came("text", entry("n2", "t2")),
      came("email", entry("n3", "t9")),
    );
    expect(texts(made)).toEqual(["New message from Contact t2"]);
    expect(made.chimes()).toBe(0);
    made.server.on("GET /membership", { body: choices({ whose: "all" }) });
    made.visible.set(false);
    await settled();
    push(made, came("text", entry("n4", "t1")));
    expect(texts(made)).toContain("New message from Contact t1");
    made.end();
  });

  it("is seen and not heard in quiet hours", async () => {
    const made = await alerted({ quiet: { on: true, start: "11:00", end: "13:00", zone: "UTC" } });
    made.visible.set(false);
    await settled();
    push(made, came("text", entry("n1", "t1")));
    expect(texts(made)).toEqual(["New message from Contact t1"]);
    expect([made.chimes(), made.notes]).toEqual([0, []]);
  });

  it("is made of everything while nobody can say what was chosen", async () => {
    const made = await alerted(null);
    push(made, came("text", entry("n1", "t1")));
    expect([texts(made).length, made.chimes()]).toEqual([1, 1]);
  });
});

describe("an alert of what a person has to mend", () => {
  it("is a message that did not go out, for its author, who has the conversation, and who manages channels", async () => {
    const failed = (author: string) =>
      entry("s1", "t1", {
        direction: "out",
        status: "failed",
        status_reason: "The number does not exist.",
        author: { kind: "member", id: author, name: null },
      });
    const other = await alerted();
    push(other, came("sending", failed("m2")));
    expect(texts(other)).toEqual([]);
    push(other, { type: "thread.changed", thread: row("t1", { assignee: mira }) });
    push(other, came("sending", failed("m2")));
    expect(texts(other)).toEqual(["A message to Contact t1 was not sent"]);
    const author = await alerted();
    push(author, came("sending", { ...failed("m1"), status: "unknown" }));
    expect(texts(author)).toEqual(["Nobody knows whether a message to Contact t1 went out"]);
    const manager = await alerted({}, ["messages.view", "channels.manage"]);
    push(manager, came("sending", failed("m2")));
    const [toast] = manager.inbox.toasts.shown.get();
    expect(toast?.detail).toBe("The number does not exist.");
    toast?.action?.run();
    expect(manager.went).toEqual(["/messages?conversation=t1&status=all&entry=s1"]);
  });

  it("is a channel that has got into trouble, once, for who manages channels", async () => {
    const trouble = (state: "needs_attention" | "ok", reason: string | null = null) => ({
      type: "channel.changed",
      channel: channel("a", { state, reason }),
    });
    const say = (made: World, change: Omit<Change, "position">) => {
      const at = made.inbox.stream.position ?? 0;
      made.sockets.frame({ from: at, to: at, changes: [{ ...change, position: at }] });
    };
    const other = await alerted();
    say(other, trouble("needs_attention"));
    expect(texts(other)).toEqual([]);
    const manager = await alerted({}, ["messages.view", "channels.manage"]);
    say(manager, trouble("needs_attention", "The key was refused."));
    say(manager, trouble("needs_attention", "The key was refused again."));
    const [toast, ...more] = manager.inbox.toasts.shown.get();
    expect([toast?.text, toast?.detail, more]).toEqual([
      "Channel a needs attention",
      "The key was refused.",
      [],
    ]);
    toast?.action?.run();
    expect(manager.went).toEqual(["/settings/channels/a"]);
    say(manager, trouble("ok"));
    say(manager, trouble("needs_attention"));
    expect(manager.chimes()).toBe(2);
  });
});

describe("being assigned a conversation", () => {
  const assigned = (thread: string, change: object = {}, by: string | null = "Ana Ruiz") =>
    entry("s1", thread, {
      kind: "system",
      direction: "internal",
      author: { kind: "member", id: "m2", name: by },
      event: { type: "assigned", assignee: "Mira Lind", assignee_id: "m1", by },
      ...change,
    });

  it("is told, with a way there", async () => {
    const made = await alerted();
    push(made, came("assignment", assigned("t1")), {
      type: "thread.changed",
      thread: row("t1", { assignee: mira }),
    });
    expect(texts(made)).toEqual(["Ana Ruiz assigned you a conversation with Contact t1"]);
    made.inbox.toasts.shown.get()[0]?.action?.run();
    expect(made.went).toEqual(["/messages?conversation=t1&status=all"]);
  });

  it("is told where nobody did it", async () => {
    const made = await alerted();
    const author = { kind: "system", id: null, name: null } as const;
    push(made, came("assignment", assigned("t1", { author }, null)));
    expect(texts(made)).toEqual(["A conversation with Contact t1 was assigned to you"]);
  });

  it("is not told to others, of what one did oneself, or is looking at", async () => {
    const made = await alerted();
    const other = { type: "assigned", assignee_id: "m2", by: null };
    const author = { kind: "member", id: "m1", name: "Mira" } as const;
    await made.inbox.open("t2");
    push(
      made,
      came("assignment", assigned("t1", { event: other })),
      came("assignment", assigned("t1", { author })),
      came("assignment", assigned("t2")),
    );
    expect(texts(made)).toEqual([]);
  });
});

describe("being mentioned in a note", () => {
  const me = { member_id: organisation.member_id, name: "Mira Lind" };
  const author = { kind: "member", id: "m2", name: "Ana Ruiz" } as const;
  const note = (id: string, thread: string, change: Partial<Entry> = {}) =>
    came("mention", entry(id, thread, { kind: "note", author, mentions: [me], ...change }));

  it("is told once, unless it is on screen, and not to its author or to others", async () => {
    const made = await alerted();
    await made.inbox.open("t2");
    push(made, note("n0", "t1", { mentions: [{ member_id: "m9", name: "Omar" }] }));
    push(made, note("n1", "t1", { author: { ...author, id: me.member_id } }));
    push(made, note("n2", "t2"));
    expect(texts(made)).toEqual([]);
    push(made, note("n3", "t1"));
    push(made, { ...note("n3", "t1", { text: "corrected" }), type: "entry.changed" });
    expect(texts(made)).toEqual(["Ana Ruiz mentioned you in the conversation with Contact t1"]);
    expect(made.chimes()).toBe(1);
    made.inbox.toasts.shown.get()[0]?.action?.run();
    expect(made.went).toEqual(["/messages?conversation=t1&status=all"]);
    const nobody = { kind: "member", id: "m2", name: null } as const;
    push(made, note("n4", "t9", { author: nobody, address: null }));
    expect(made.chimes()).toBe(2);
  });
});

describe("quiet hours", () => {
  const at = (time: string) => Date.parse(`2026-11-20T${time}:00Z`);
  const quiet = (start: string, end: string, zone: string) => ({ on: true, start, end, zone });

  it.each([
    ["21:00", "08:00", "UTC", "20:59", false],
    ["21:00", "08:00", "UTC", "21:00", true],
    ["21:00", "08:00", "UTC", "07:59", true],
    ["21:00", "08:00", "UTC", "08:00", false],
    ["12:00", "13:00", "UTC", "12:30", true],
    ["12:00", "13:00", "UTC", "13:00", false],
    ["21:00", "08:00", "Asia/Tokyo", "12:30", true],
    ["21:00", "08:00", "America/New_York", "12:30", true],
    ["21:00", "08:00", "America/New_York", "13:30", false],
  ])("from %s to %s in %s: at %s %s", (start, end, zone, time, expected) => {
    expect(isQuiet(quiet(start, end, zone), at(time))).toBe(expected);
  });

  it("are none when they are switched off", () => {
    expect(isQuiet({ ...quiet("21:00", "08:00", "UTC"), on: false }, at("22:00"))).toBe(false);
  });
});
