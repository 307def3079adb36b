import { describe, expect, it, vi } from "vitest";

import { later, settled, TestClock, TestSockets } from "../../tests/world";
import { Stream } from "./stream";
import type { Change, Frame } from "./wire";

type Answer = Frame | { type: "reload"; position: number };

function make(random = 0) {
  const clock = new TestClock();
  const sockets = new TestSockets();
  const asked: { since: number | null; wait: number }[] = [];
  let answer: () => Promise<Answer> = () => Promise.reject(new Error("down"));
  const events = {
    changes: vi.fn(),
    counts: vi.fn(),
    reload: vi.fn(),
    resumed: vi.fn(),
  };
  const stream = new Stream(
    {
      clock,
      random: () => random,
      connect: (since, to) => sockets.connect(String(since), to),
      changes: (since, wait) => {
        asked.push({ since, wait });
        return answer();
      },
    },
    events,
  );
  return {
    clock,
    sockets,
    asked,
    events,
    stream,
    answer: (next: () => Promise<Answer>) => {
      answer = next;
    },
    hello: (position = 10) => {
      sockets.say({ type: "hello", position });
    },
    applied: () => events.changes.mock.calls.flatMap(([changes]) => positions(changes)),
  };
}

const positions = (changes: Change[]) => changes.map((change) => change.position);
const change = (position: number): Change => ({ type: "thread.changed", position });
const frame = (from: number, to: number): Frame => ({ from, to, changes: [change(to)] });

describe("the stream", () => {
  it("begins now, applies frames in order, and ignores what is old", () => {
    const { stream, sockets, hello, applied } = make();
    stream.start();
    expect(sockets.last.path).toBe("null");
    sockets.last.events.open();
    hello();
    expect(stream.state.get()).toBe("live");
    sockets.frame(frame(10, 14));
    sockets.frame(frame(10, 14));
    sockets.frame(frame(14, 15));
    expect(applied()).toEqual([14, 15]);
    expect(stream.position).toBe(15);
  });

  it("hands on at once what has no position, whatever it waits for", async () => {
    const { stream, sockets, hello, applied, answer } = make();
    stream.start();
    hello();
    const missing = later<Answer>();
    answer(() => missing.promise);
    sockets.frame(frame(10, 10));
    sockets.frame(frame(12, 13));
    sockets.frame(frame(10, 10));
    expect(applied()).toEqual([10, 10]);
    missing.keep({ from: 10, to: 13, changes: [change(11), change(13)] });
    await settled();
    sockets.frame(frame(13, 13));
    expect(applied()).toEqual([10, 10, 11, 13, 13]);
    expect(stream.position).toBe(13);
  });

  it("asks for what it missed, and holds newer frames meanwhile", async () => {
    const { stream, sockets, hello, applied, asked, answer } = make();
    stream.start();
    hello();
    const missing = later<Answer>();
    answer(() => missing.promise);
    sockets.frame(frame(12, 13));
    sockets.frame(frame(13, 14));
    expect(asked).toEqual([{ since: 10, wait: 0 }]);
    expect(applied()).toEqual([]);
    missing.keep({ from: 10, to: 13, changes: [change(11), change(13)] });
    await settled();
    expect(applied()).toEqual([11, 13, 14]);
  });

  it("asks on until it has everything, and goes on when nothing was for this reader", async () => {
    const { stream, sockets, hello, applied, asked, answer } = make();
    stream.start();
    hello();
    const answers: Answer[] = [
      { from: 10, to: 11, changes: [change(11)] },
      { from: 11, to: 11, changes: [] },
    ];
    answer(() => Promise.resolve(answers.shift() as Answer));
    sockets.frame(frame(13, 14));
    await settled();
    expect(applied()).toEqual([11, 14]);
    expect(asked.map((each) => each.since)).toEqual([10, 11]);
  });

  it("reads everything again when told to, and when the server is behind", async () => {
    const { stream, sockets, hello, events, answer } = make();
    stream.start();
    hello();
    sockets.say({ type: "reload", position: 50 });
    expect(stream.position).toBe(50);
    answer(() => Promise.resolve({ type: "reload", position: 90 }));
    sockets.frame(frame(70, 80));
    await settled();
    expect(stream.position).toBe(90);
    sockets.last.events.closed();
    stream.retryNow();
    hello(5);
    expect(events.reload).toHaveBeenCalledTimes(3);
  });

  it("hands on counts, and says what is shown", () => {
    const { stream, sockets, hello, events } = make();
    stream.show({ status: "open", filter: "all" });
    stream.start();
    hello();
    stream.show({ status: "closed", filter: "mine" });
    expect(sockets.last.sent.map((text) => JSON.parse(text))).toEqual([
      { show: { status: "open", filter: "all" } },
      { show: { status: "closed", filter: "mine" } },
    ]);
    sockets.say({ type: "counts", counts: { unread_total: 1 }, position: 12 });
    expect(events.counts).toHaveBeenCalledWith({ unread_total: 1 }, 12);
  });

  it("tries again after half a second, then twice as long, with chance", () => {
    const { clock, stream, sockets, hello } = make(1);
    stream.start();
    hello();
    sockets.last.events.closed();
    expect(stream.state.get()).toBe("down");
    clock.pass(249);
    expect(sockets.opened).toHaveLength(1);
    clock.pass(1);
    expect(sockets.opened).toHaveLength(2);
    expect(sockets.last.path).toBe("10");
    sockets.last.events.closed();
    clock.pass(500);
    expect(sockets.opened).toHaveLength(3);
    sockets.opened[0]?.events.closed();
    sockets.opened[0]?.events.message('{"type":"hello","position":1}');
    expect(stream.position).toBe(10);
  });

  it("gives up on a socket that does not open or does not answer a ping", () => {
    const { clock, stream, sockets, hello } = make();
    stream.start();
    clock.pass(10_000);
    expect(stream.state.get()).toBe("down");
    clock.pass(500);
    hello();
    clock.pass(25_000);
    expect(sockets.last.sent).toEqual(['{"ping":true}']);
    sockets.say({ type: "pong" });
    clock.pass(25_000);
    expect(stream.state.get()).toBe("live");
    clock.pass(10_000);
    expect(stream.state.get()).toBe("down");
  });

  it("says so after five seconds, and takes it back when it has caught up", () => {
    const { clock, stream, sockets, hello, events } = make();
    stream.start();
    hello();
    sockets.last.events.closed();
    clock.pass(4_999);
    expect(stream.paused.get()).toBe(false);
    clock.pass(1);
    expect(stream.paused.get()).toBe(true);
    stream.retryNow();
    hello(12);
    expect(stream.paused.get()).toBe(true);
    sockets.frame(frame(10, 12));
    expect(stream.paused.get()).toBe(false);
    expect(positions(events.resumed.mock.calls[0]?.[0])).toEqual([12]);
  });

  it("says nothing of a short pause", () => {
    const { clock, stream, sockets, hello, events } = make();
    stream.start();
    hello();
    sockets.last.events.closed();
    stream.retryNow();
    hello();
    stream.retryNow();
    sockets.say({ type: "pong" });
    clock.pass(20_000);
    expect(stream.paused.get()).toBe(false);
    expect(events.resumed).not.toHaveBeenCalled();
    expect(sockets.opened).toHaveLength(2);
  });

  it("polls where sockets fail, and goes back to a socket when one opens", async () => {
    const { clock, stream, sockets, hello, asked, answer, applied } = make();
    stream.start();
    hello();
    const polls = [later<Answer>(), later<Answer>(), later<Answer>()];
    let poll = 0;
    answer(() => polls[poll++]?.promise ?? Promise.reject(new Error("down")));
    sockets.last.events.closed();
    clock.pass(500);
    sockets.last.events.closed();
    clock.pass(2_500);
    polls[0]?.keep({ from: 10, to: 10, changes: [] });
    await settled();
    expect(stream.state.get()).toBe("polling");
    polls[1]?.keep(frame(10, 11));
    await settled();
    expect(applied()).toEqual([11]);
    expect(asked.map((each) => each.wait)).toEqual([0, 25, 25]);
    clock.pass(60_000);
    expect(stream.state.get()).toBe("polling");
    expect(stream.paused.get()).toBe(false);
    polls[2]?.keep(frame(11, 12));
    stream.retryNow();
    hello(11);
    await settled();
    expect(stream.state.get()).toBe("live");
    expect(applied()).toEqual([11]);
    sockets.frame(frame(11, 12));
    expect(applied()).toEqual([11, 12]);
  });

  it("begins by polling where no socket is ever let through, and reads again what it has read", async () => {
    const { clock, stream, sockets, events, asked, answer, applied } = make();
    stream.start();
    const polls = [later<Answer>(), later<Answer>(), later<Answer>()];
    let poll = 0;
    answer(() => polls[poll++]?.promise ?? Promise.reject(new Error("down")));
    sockets.last.events.closed();
    clock.pass(3_000);
    polls[0]?.keep({ from: 40, to: 40, changes: [] });
    await settled();
    expect(events.reload).toHaveBeenCalledTimes(1);
    expect(stream.position).toBe(40);
    polls[1]?.keep(frame(40, 41));
    await settled();
    expect(applied()).toEqual([41]);
    expect(asked.map((each) => each.since)).toEqual([null, 40, 41]);
    clock.pass(5_000);
    expect(stream.paused.get()).toBe(false);
    stream.stop();
    expect(clock.waiting).toBe(0);
  });

  it("polls while a socket hangs, and at once when somebody asks", async () => {
    const { clock, stream, sockets, asked, answer, hello, events } = make();
    stream.start();
    hello();
    sockets.last.events.closed();
    clock.pass(3_000);
    await settled();
    expect(asked).toHaveLength(1);
    clock.pass(2_000);
    expect(stream.paused.get()).toBe(true);
    const next = later<Answer>();
    const answers = [Promise.resolve<Answer>(frame(10, 11)), next.promise];
    answer(() => answers.shift() ?? next.promise);
    stream.retryNow();
    await settled();
    expect(stream.state.get()).toBe("polling");
    expect(stream.paused.get()).toBe(false);
    expect(positions(events.resumed.mock.calls[0]?.[0])).toEqual([11]);
  });

  it("asks a socket that is open whether it still is, when somebody comes back", () => {
    const { clock, stream, sockets, hello } = make();
    stream.start();
    hello();
    stream.retryNow();
    stream.retryNow();
    expect(sockets.last.sent).toEqual(['{"ping":true}']);
    sockets.say({ type: "pong" });
    clock.pass(10_000);
    expect(stream.state.get()).toBe("live");
    stream.retryNow();
    clock.pass(10_000);
    expect(stream.state.get()).toBe("down");
  });

  it("reloads and fails while polling like anywhere else", async () => {
    const { clock, stream, sockets, hello, events, asked, answer } = make();
    stream.start();
    hello();
    let polls = 0;
    answer(() =>
      polls++ === 0
        ? Promise.resolve({ type: "reload", position: 20 })
        : Promise.reject(new Error("down")),
    );
    sockets.last.events.closed();
    clock.pass(500);
    sockets.last.events.closed();
    clock.pass(2_500);
    await settled();
    expect(events.reload).toHaveBeenCalledTimes(1);
    expect(stream.state.get()).toBe("down");
    expect(asked).toHaveLength(2);
    clock.pass(3_000);
    await settled();
    expect(asked).toHaveLength(3);
    clock.pass(5_000);
    expect(stream.paused.get()).toBe(true);
  });

  it("stops: nothing is tried, nothing is applied", async () => {
    const { clock, stream, sockets, hello, answer, applied } = make();
    stream.start();
    hello();
    const missing = later<Answer>();
    answer(() => missing.promise);
    sockets.frame(frame(12, 13));
    stream.stop();
    missing.keep({ from: 10, to: 13, changes: [change(13)] });
    await settled();
    stream.retryNow();
    clock.pass(60_000);
    expect(applied()).toEqual([]);
    expect(sockets.opened).toHaveLength(1);
    expect(clock.waiting).toBe(0);
  });

  it("counts as lost when what was missed cannot be had, or the poll is called off", async () => {
    const { stream, sockets, hello, answer, clock } = make();
    stream.start();
    hello();
    sockets.frame(frame(12, 13));
    await settled();
    expect(stream.state.get()).toBe("down");
    let fail: (error: Error) => void = () => undefined;
    answer(
      () =>
        new Promise((_, reject) => {
          fail = reject;
        }),
    );
    clock.pass(3_000);
    hello(10);
    fail(new Error("aborted"));
    await settled();
    expect(stream.state.get()).toBe("live");
  });
});
