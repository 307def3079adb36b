import { beforeEach, describe, expect, it } from "vitest";

import { channel, later, minutesAgo, settled, world, type World } from "../../tests/world";
import { Deliveries } from "./deliveries";
import { formatPlace, parsePlace } from "./place";
import type { Delivery, DeliveryDetail, DeliveryDryRun, Job } from "./wire";

const PATH = "/channels/a/deliveries";

function delivery(id: string, change: Partial<Delivery> = {}): Delivery {
  return {
    id,
    channel_id: "a",
    state: "quarantined",
    reason: "it says nothing",
    source: "http",
    method: "POST",
    size: 3,
    attempts: 1,
    due_at: null,
    received_at: minutesAgo(3),
    ...change,
  };
}

function whole(id: string, change: Partial<Delivery> = {}): DeliveryDetail {
  return {
    ...delivery(id, change),
    url: "http://hub.test/hooks/main/a",
    headers: [],
    remote: null,
    proof: null,
    body: { content_type: null, text: "abc", base64: null, cut: false, withheld: null },
    entries: [],
  };
}

const dry: DeliveryDryRun = {
  state: "done",
  reason: null,
  proof: null,
  events: [],
  more_events: 0,
  reply: null,
};

function job(state: Job["state"], done = 0): Job {
  return {
    id: "j1",
    kind: "replay_deliveries",
    state,
    done,
    total: 2,
    result: state === "done" ? { read: 2, understood: 1 } : null,
    reason: null,
    canceling: false,
    version: 1,
    created_at: minutesAgo(0),
    finished_at: null,
  };
}

let made: World;
let deliveries: Deliveries;

beforeEach(() => {
  made = world();
  made.server
    .on(`GET ${PATH}`, { body: { items: [delivery("2"), delivery("1")], next_cursor: null } })
    .on(`GET ${PATH}/counts`, { body: { quarantined: 2, unverified: 0 } })
    .on(`GET ${PATH}/2`, { body: whole("2") });
  deliveries = new Deliveries("main", made.http, made.clock);
});

const ids = () => deliveries.list.get().items.map(({ id }) => id);

describe("the list", () => {
  it("asks for a state, and goes on where a page ended", async () => {
    const asked: string[] = [];
    made.server.on(`GET ${PATH}`, ({ query }) => {
      asked.push(query.toString());
      const first = !query.has("cursor");
      return {
        body: { items: [delivery(first ? "2" : "1")], next_cursor: first ? "next" : null },
      };
    });
    await deliveries.show("a", "quarantined");
    expect(ids()).toEqual(["2"]);
    expect(deliveries.counts.get()?.quarantined).toBe(2);
    await deliveries.more();
    expect(ids()).toEqual(["2", "1"]);
    await deliveries.more();
    expect(asked).toEqual(["limit=50&state=quarantined", "limit=50&state=quarantined&cursor=next"]);
  });

  it("says why it could not be loaded, and keeps what is known", async () => {
    await deliveries.show("a", null);
    made.server
      .on(`GET ${PATH}`, () => new TypeError("no network"))
      .on(`GET ${PATH}/counts`, { status: 503 });
    await deliveries.refresh();
    expect(deliveries.list.get()).toMatchObject({
      phase: "failed",
      why: "The server cannot be reached.",
    });
    expect(ids()).toEqual(["2", "1"]);
    expect(deliveries.counts.get()).toBeNull();
  });

  it("shows the answer to what was asked last", async () => {
    const late: (() => void)[] = [];
    made.server.on(`GET ${PATH}`, ({ query }) =>
      query.get("state") === "done"
        ? { body: { items: [delivery("9", { state: "done" })], next_cursor: null } }
        : new Promise((resolve) => {
            late.push(() => {
              resolve(
                late.length > 1 ? { status: 500 } : { body: { items: [], next_cursor: null } },
              );
            });
          }),
    );
    const first = deliveries.show("a", null);
    const second = deliveries.show("a", "ignored");
    await settled();
    await deliveries.show("a", "done");
    for (const answer of late) answer();
    await Promise.all([first, second]);
    expect(ids()).toEqual(["9"]);
    expect(deliveries.list.get().phase).toBe("ready");
  });
});

describe("one delivery", () => {
  beforeEach(async () => {
    await deliveries.show("a", null);
    await deliveries.choose("2");
  });

  it("is shown whole, or why it is not", async () => {
    expect(deliveries.open.get()).toMatchObject({ phase: "ready", detail: { id: "2" } });
    await deliveries.choose("3");
    expect(deliveries.open.get()).toMatchObject({ phase: "failed", why: "It is no longer there." });
    await deliveries.choose(null);
    expect(deliveries.open.get()).toBeNull();
  });

  it("can be tried, which changes nothing", async () => {
    made.server.on(`POST ${PATH}/2/dry-run`, { body: dry });
    const trying = deliveries.try();
    expect(deliveries.open.get()?.doing).toBe("try");
    await deliveries.try();
    await trying;
    expect(made.server.asked(`POST ${PATH}/2/dry-run`)).toBe(1);
    expect(deliveries.open.get()).toMatchObject({ doing: null, result: { state: "done" } });
    expect(deliveries.list.get().items[0]?.state).toBe("quarantined");
  });

  it("can be taken in, and the list knows", async () => {
    made.server.on(`POST ${PATH}/2/replay`, {
      body: { before: "quarantined", delivery: whole("2", { state: "done", reason: null }) },
    });
    await deliveries.replay();
    expect(deliveries.open.get()).toMatchObject({ taken: true, detail: { state: "done" } });
    expect(deliveries.list.get().items.map(({ state }) => state)).toEqual(["done", "quarantined"]);
    await settled();
    expect(made.server.asked(`GET ${PATH}/counts`)).toBe(2);
  });

  it("says why that did not work", async () => {
    made.server.on(`POST ${PATH}/2/replay`, {
      status: 409,
      body: { detail: "The channel is not running." },
    });
    await deliveries.replay();
    expect(deliveries.open.get()).toMatchObject({
      doing: null,
      fault: "The channel is not running.",
    });
    await deliveries.choose(null);
    await deliveries.replay();
    expect(made.server.asked(`POST ${PATH}/2/replay`)).toBe(1);
  });
});

describe("taking in all that wait", () => {
  beforeEach(() => deliveries.show("a", null));

  it("is followed to its end, through a gap in the connection", async () => {
    const answers = [job("running", 1), null, job("done", 2)];
    made.server
      .on(`POST ${PATH}/replay`, { status: 202, body: job("waiting") })
      .on("GET /jobs/j1", () => {
        const answer = answers.shift();
        return answer ? { body: answer } : new TypeError("no network");
      });
    await deliveries.replayAll();
    expect(deliveries.working).toBe(true);
    await deliveries.replayAll();
    expect(made.server.asked(`POST ${PATH}/replay`)).toBe(1);
    for (const done of [1, 1, 2]) {
      made.clock.pass(1_000);
      await settled();
      expect(deliveries.all.get()?.job?.done).toBe(done);
    }
    expect(deliveries.working).toBe(false);
    expect(made.server.asked(`GET ${PATH}`)).toBe(2);
    expect(made.clock.waiting).toBe(0);
  });

  it("says why it could not begin", async () => {
    made.server.on(`POST ${PATH}/replay`, { status: 409, body: { detail: "Not running." } });
    await deliveries.replayAll();
    expect(deliveries.all.get()).toEqual({ job: null, fault: "Not running." });
  });

  it("is left alone once somebody looks at another channel, or leaves", async () => {
    let answer: () => void = () => undefined;
    made.server.on(`POST ${PATH}/replay`, { status: 202, body: job("waiting") }).on(
      "GET /jobs/j1",
      () =>
        new Promise((resolve) => {
          answer = () => {
            resolve({ body: job("done", 2) });
          };
        }),
    );
    await deliveries.replayAll();
    made.clock.pass(1_000);
    await settled();
    await deliveries.show("b", null);
    answer();
    await settled();
    expect(deliveries.all.get()).toBeNull();
    await deliveries.show("a", null);
    await deliveries.replayAll();
    deliveries.stop();
    expect(made.clock.waiting).toBe(0);
  });
});

describe("the channel", () => {
  const CHECK = "POST /channels/a/check";
  beforeEach(() => deliveries.show("a", null));

  it("can be asked how it is, once at a time", async () => {
    made.server.on(CHECK, { body: channel("a", { state: "degraded", reason: "slow" }) });
    const asking = deliveries.checkChannel();
    expect(deliveries.check.get().doing).toBe(true);
    expect(await deliveries.checkChannel()).toBeNull();
    expect(await asking).toMatchObject({ state: "degraded", reason: "slow" });
    expect(deliveries.check.get()).toEqual({ doing: false, at: made.clock.now(), fault: null });
    expect(made.server.asked(CHECK)).toBe(1);
  });

  it("says why it could not be asked, and when it last could", async () => {
    made.server.on(CHECK, { body: channel("a") });
    await deliveries.checkChannel();
    const at = made.clock.now();
    made.clock.pass(60_000);
    made.server.on(CHECK, { status: 409, body: { detail: "It could not be loaded." } });
    expect(await deliveries.checkChannel()).toBeNull();
    expect(deliveries.check.get()).toEqual({ doing: false, at, fault: "It could not be loaded." });
  });

  it("that was asked before another one was shown says nothing of that one", async () => {
    const slow = later<{ body: unknown }>();
    made.server.on(CHECK, () => slow.promise);
    const asking = deliveries.checkChannel();
    await deliveries.show("b", null);
    slow.keep({ body: channel("a") });
    expect(await asking).toMatchObject({ id: "a" });
    expect(deliveries.check.get()).toEqual({ doing: false, at: null, fault: null });
  });
});

it("has an address for every delivery", () => {
  const place = { page: "deliveries", channel: "a b", state: "ignored", delivery: "7" } as const;
  const address = formatPlace(place);
  expect(address).toBe("/deliveries?channel=a+b&state=ignored&delivery=7");
  expect(parsePlace("/deliveries", address.slice("/deliveries".length))).toEqual(place);
  const none = { page: "deliveries", channel: null, state: null, delivery: null } as const;
  expect(formatPlace(none)).toBe("/deliveries");
  expect(parsePlace("/deliveries", "?state=lost")).toEqual(none);
});
