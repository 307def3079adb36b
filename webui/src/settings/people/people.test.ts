import { describe, expect, it } from "vitest";

import { organisation, settled, world } from "../../../tests/world";
import { Refused } from "../../core/problem";
import type { Invitation, Member, Role, Token } from "./api";
import { Loaded } from "./loaded";
import { expiry, usual } from "./invitations/invitations";
import { losesItself, matching, seen } from "./members/members";
import { capabilities, choices, distance, keeps, mayGive, namesOf } from "./people";
import {
  holders,
  keepsChannels,
  least,
  named,
  reaches,
  summary,
  numbersOf,
  seesNothing,
  withChannel,
  withNumber,
} from "./roles/roles";
import { expiresAt, tokenExpiry } from "./tokens/tokens";

const DAY = 24 * 60 * 60_000;
const now = Date.parse("2026-11-22T12:00:00Z");
const at = (away: number) => new Date(now + away).toISOString();

function role(name: string, change: Partial<Role> = {}): Role {
  return {
    id: name,
    own_addresses: [],
    name,
    ready: null,
    capabilities: ["messages.view"],
    channels: null,
    members: 0,
    deletable: true,
    ...change,
  };
}

function member(name: string, change: Partial<Member> = {}): Member {
  return {
    id: name,
    name,
    email: `${name.toLowerCase()}@example.com`,
    active: true,
    role: { id: "Night", name: "Night" },
    super_user: false,
    ...change,
  };
}

const admin = role("Boss", { ready: "Admin", capabilities: [...capabilities].sort() });
const superior = role("Super User", { ready: "Super User", capabilities: [...capabilities] });
const all = { ...organisation, capabilities: [...capabilities] };

describe("members", () => {
  const people = [member("Tomás"), member("Ben"), member("Wei", { role: null })];

  it.each([
    ["", 3],
    ["tomas", 1],
    ["  BEN night ", 1],
    ["example.com", 3],
    ["night", 2],
    ["nobody", 0],
  ])("are found by %j", (typed, count) => {
    expect(matching(people, typed)).toHaveLength(count);
  });

  it("have a role as long as they are there", () => {
    const night = role("Night");
    expect(holders(night, [...people, member("Gone", { active: false })])).toHaveLength(2);
  });

  it("are named, not more than a few", () => {
    expect(named([member("Ann")])).toBe("Ann");
    expect(named([member("Ann"), member("Bob")])).toBe("Ann and Bob");
    const many = ["A", "B", "C", "D", "E", "F", "G"].map((name) => member(name));
    expect(named(many)).toBe("A, B, C, D, E and 2 more");
  });

  it.each([
    [null, "Never signed in"],
    [at(-60_000), "Seen just now"],
    [at(-3 * 60 * 60_000), "Last seen 3 hours ago"],
    [at(-DAY), "Last seen yesterday"],
  ])("were seen %j: %s", (last_seen_at, said) => {
    expect(seen(member("Ann", { last_seen_at }), now)).toBe(said);
  });
});

describe("roles", () => {
  it("say what they may in the order in which it is offered", () => {
    expect(summary(admin)).toBe("May do everything");
    expect(summary(role("x", { capabilities: [] }))).toBe("May do nothing yet");
    const some = role("x", { capabilities: ["messages.send", "messages.view", "later.added"] });
    expect(summary(some)).toBe("See conversations · Send messages · later.added");
    expect(namesOf(["audit.view"])).toEqual(["Read the audit log"]);
  });

  it("keep what somebody needs to put things right", () => {
    expect(keeps(admin, "members.manage")).toBe(true);
    expect(keeps(admin, "messages.send")).toBe(false);
    expect(keeps(superior, "messages.send")).toBe(true);
    expect(keeps(role("x"), "members.manage")).toBe(false);
    expect(keeps(null, "members.manage")).toBe(false);
    expect([admin, superior, role("x"), null].map(keepsChannels)).toEqual([
      true,
      true,
      false,
      false,
    ]);
  });

  it("are given by who has what they give", () => {
    const clerk = { ...organisation, capabilities: ["messages.view"], channels: ["a"] };
    expect(mayGive(all, admin)).toBe(true);
    expect(mayGive(clerk, role("x", { channels: ["a"] }))).toBe(true);
    expect(mayGive(clerk, role("x", { channels: ["a", "b"] }))).toBe(false);
    expect(mayGive(clerk, role("x"))).toBe(false);
    expect(mayGive(clerk, role("x", { channels: ["a"], capabilities: ["audit.view"] }))).toBe(
      false,
    );
  });

  it("are offered if they may be given, or are what somebody has", () => {
    const roles = [admin, superior, role("Night")];
    const names = (own: typeof all, superUser: boolean, held: string | null) =>
      choices(roles, own, superUser, held).map(({ name }) => name);
    expect(names(all, false, null)).toEqual(["Boss", "Night"]);
    expect(names(all, true, null)).toEqual(["Boss", "Super User", "Night"]);
    expect(names(all, false, "Super User")).toEqual(["Boss", "Super User", "Night"]);
    expect(names({ ...all, capabilities: [] }, false, "Night")).toEqual(["Night"]);
  });

  it("reach as far as their channels and numbers", () => {
    const own_addresses = [
      { channel_id: "a", address: "+12025550100" },
      { channel_id: "b", address: "+12025550101" },
      { channel_id: "b", address: "+12025550102" },
    ];
    expect(reaches(role("x", { channels: ["a"], own_addresses }))).toBe(2);
    expect(reaches(role("x", { channels: ["a", "c"] }))).toBe(2);
    expect(reaches(role("x"))).toBe(0);
  });

  it("see channels whole or single numbers of them", () => {
    const nothing = { channels: [], own_addresses: [] };
    expect(seesNothing(nothing)).toBe(true);
    expect(seesNothing({ channels: null, own_addresses: [] })).toBe(false);
    const one = withNumber(nothing, "a", "+1", true);
    expect(seesNothing(one)).toBe(false);
    expect(one).toEqual({ channels: [], own_addresses: [{ channel_id: "a", address: "+1" }] });
    expect(withNumber(one, "a", "+1", false)).toEqual(nothing);
    expect(withNumber(one, "a", "+1", true)).toEqual(one);
    const both = withNumber(withChannel(one, "b", true), "c", "+3", true);
    expect(both.channels).toEqual(["b"]);
    expect(withChannel(both, "a", true)).toEqual({
      channels: ["a", "b"],
      own_addresses: [{ channel_id: "c", address: "+3" }],
    });
    expect(withChannel(both, "b", false).channels).toEqual([]);
  });

  it("can be given the numbers of a channel that has several, and keep those that are gone", () => {
    const numbers = [
      { value: "+1", display: "One" },
      { value: "+2", display: "Two" },
    ];
    const nothing = { channels: [], own_addresses: [] };
    const several = { id: "a", own_addresses: numbers };
    expect(numbersOf(several, nothing)).toEqual(numbers);
    const single = { id: "a", own_addresses: numbers.slice(0, 1) };
    expect(numbersOf(single, nothing)).toEqual([]);
    expect(numbersOf(single, withNumber(nothing, "a", "+1", true))).toEqual(numbers.slice(0, 1));
    expect(numbersOf(several, withNumber(nothing, "a", "+9", true))).toEqual([
      ...numbers,
      { value: "+9", display: "+9" },
    ]);
    expect(numbersOf(several, withNumber(nothing, "b", "+9", true))).toEqual(numbers);
  });

  it("are chosen so that nothing is given away", () => {
    const roles = [admin, role("Some"), role("None", { capabilities: [] })];
    expect(least(roles)?.name).toBe("None");
    expect(least([])).toBeNull();
    expect(usual(roles)?.name).toBe("Some");
    expect(usual([admin])?.name).toBe("Boss");
    expect(usual([])).toBeNull();
    expect(losesItself(role("x"))).toBe(true);
    expect(losesItself(admin)).toBe(false);
  });
});

describe("how long it is", () => {
  it.each([
    [5 * 60_000, "in 5 minutes"],
    [-20_000, "this minute"],
    [7 * 60 * 60_000, "in 7 hours"],
    [7 * DAY - 1000, "in 7 days"],
    [-DAY, "yesterday"],
    [90 * DAY, "in 3 months"],
    [3 * 365 * DAY, "in 3 years"],
  ])("%i ms: %s", (away, said) => {
    expect(distance(at(away), now)).toBe(said);
  });

  it("is said of invitations and tokens", () => {
    const invitation = (expires_at: string) => expiry({ expires_at } as Invitation, now);
    expect(invitation(at(2 * DAY))).toEqual({ over: false, text: "Expires in 2 days" });
    expect(invitation(at(-2 * DAY))).toEqual({ over: true, text: "Expired 2 days ago" });
    const token = (expires_at: string | null) => tokenExpiry({ expires_at } as Token, now);
    expect(token(null)).toEqual({ over: false, text: "Never expires" });
    expect(token(at(30 * DAY)).text).toBe("Expires in 30 days");
    expect(token(at(-DAY))).toEqual({ over: true, text: "Expired yesterday" });
  });

  it("is asked for in days", () => {
    expect(expiresAt("", now)).toBeNull();
    expect(expiresAt("30", now)).toBe(at(30 * DAY));
  });
});

describe("what a page lists", () => {
  it("is read anew when people have changed, and stays when it cannot be", async () => {
    const made = world();
    const answers: (number | Error)[] = [1, 2, new Refused(503, null, null), 4];
    const loaded = new Loaded(() => {
      const answer = answers.shift();
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
    });
    const end = loaded.watch(made.inbox);
    await settled();
    expect(loaded.data.get()).toBe(1);
    made.inbox.membersChanged.set(5);
    await settled();
    expect(loaded.data.get()).toBe(2);
    made.inbox.membersChanged.set(6);
    await settled();
    expect([loaded.data.get(), loaded.why.get() === null]).toEqual([2, false]);
    made.inbox.stream.state.set("live");
    await settled();
    expect([loaded.data.get(), loaded.why.get()]).toEqual([4, null]);
    end();
    made.inbox.membersChanged.set(7);
    await settled();
    expect(loaded.data.get()).toBe(4);
  });

  it("is what was asked for last", async () => {
    const keep: ((value: number) => void)[] = [];
    const loaded = new Loaded(
      () =>
        new Promise<number>((resolve) => {
          keep.push(resolve);
        }),
    );
    const [first, second] = [loaded.again(), loaded.again()];
    keep[1]?.(2);
    await second;
    keep[0]?.(1);
    await first;
    expect(loaded.data.get()).toBe(2);
  });
});
