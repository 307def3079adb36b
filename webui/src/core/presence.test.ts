import { describe, expect, it } from "vitest";

import { settled, world, type World } from "../../tests/world";
import { Presence } from "./presence";
import type { PersonThere } from "./wire";

const ben: PersonThere = { member_id: "m3", name: "Ben", typing: false };

async function looking(): Promise<{ made: World; presence: Presence; leave: () => void }> {
  const made = world();
  made.inbox.start({ status: "open", filter: "all" });
  made.sockets.say({ type: "hello", position: 10 });
  await settled();
  const presence = new Presence("t1", { ...made.ports, stream: made.inbox.stream });
  return { made, presence, leave: presence.start() };
}

function said({ sockets }: World): unknown[] {
  const messages = sockets.last.sent.map((text) => JSON.parse(text) as { at?: unknown });
  return messages.flatMap(({ at }) => (at === undefined ? [] : [at]));
}

const at = (thread: string | null, typing = false) => ({ thread, typing });

describe("who is where", () => {
  it("says which conversation is looked at, again and again while it is", async () => {
    const { made, leave } = await looking();
    expect(said(made)).toEqual([at("t1")]);
    made.clock.pass(20_000);
    expect(said(made)).toEqual([at("t1"), at("t1")]);
    made.visible.set(false);
    made.clock.pass(5_000);
    made.sockets.say({ type: "pong" });
    made.clock.pass(20_000);
    expect(said(made).slice(2)).toEqual([at(null)]);
    made.visible.set(true);
    leave();
    expect(said(made).slice(3)).toEqual([at("t1"), at(null)]);
    made.visible.set(false);
    expect(said(made)).toHaveLength(5);
  });

  it("says that somebody types, at most every three seconds, and that they have stopped", async () => {
    const { made, presence } = await looking();
    for (let letter = 0; letter < 5; letter += 1) presence.typed();
    expect(said(made)).toEqual([at("t1"), at("t1", true)]);
    made.clock.pass(3_000);
    presence.typed();
    expect(said(made).slice(2)).toEqual([at("t1", true)]);
    presence.stoppedTyping();
    presence.stoppedTyping();
    expect(said(made).slice(3)).toEqual([at("t1")]);
  });

  it("knows who else is in the conversation, and nobody while there is no stream", async () => {
    const { made, presence } = await looking();
    made.sockets.say({ type: "presence", thread_id: "t1", people: [ben] });
    expect(presence.others.get()).toEqual([ben]);
    made.sockets.say({ type: "presence", thread_id: "t2", people: [] });
    expect(presence.others.get()).toEqual([ben]);
    made.sockets.last.events.closed();
    expect(presence.others.get()).toEqual([]);
    made.inbox.stream.retryNow();
    made.sockets.say({ type: "hello", position: 10 });
    expect(said(made)).toEqual([at("t1")]);
    made.sockets.say({ type: "presence", thread_id: "t1", people: [ben] });
    expect(presence.others.get()).toEqual([ben]);
  });
});
