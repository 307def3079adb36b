import { describe, expect, it } from "vitest";

import { me, organisation, TestServer } from "../../tests/world";
import { Http } from "./http";
import { formatPlace, parsePlace } from "./place";
import { seesAlike, sendsHow } from "./rights";
import { Session } from "./session";

describe("how a member's messages go out", () => {
  it.each([
    [["messages.view"], null],
    [["messages.send_gated"], "gated"],
    [["messages.send"], "direct"],
    [["messages.send", "messages.send_gated"], "direct"],
  ])("%j: %s", (capabilities, how) => {
    expect(sendsHow({ ...organisation, capabilities })).toBe(how);
  });
});

describe("the address of the approval queue", () => {
  it.each(["/approvals", "/approvals?approval=17"])("%s", (address) => {
    const url = new URL(address, "http://hub.test");
    expect(formatPlace(parsePlace(url.pathname, url.search))).toBe(address);
  });
});

describe("rights that change while the page is open", () => {
  it("are others when there are others, or they reach less far", () => {
    const some = { ...organisation, capabilities: ["messages.view"] };
    const narrow = { ...organisation, channels: ["a"] };
    expect(seesAlike(organisation, { ...organisation, name: "Renamed" })).toBe(true);
    expect(seesAlike(organisation, some)).toBe(false);
    expect(seesAlike(organisation, narrow)).toBe(false);
  });

  it("are asked again", async () => {
    const server = new TestServer();
    const upload = () => Promise.resolve(new Response(null, { status: 413 }));
    const session = new Session(
      new Http({ origin: "http://hub.test", fetch: server.fetch, upload }),
    );
    await session.refresh();
    server.on("GET /api/v1/me", { body: me });
    await session.begin();
    const before = session.me.get();
    await session.refresh();
    expect(session.me.get()).toBe(before);
    const organisations = [{ ...organisation, capabilities: ["messages.view"] }];
    server.on("GET /api/v1/me", { body: { ...me, organisations } });
    await session.refresh();
    expect(session.me.get()?.organisations[0]?.capabilities).toEqual(["messages.view"]);
    server.on("GET /api/v1/me", { status: 503 });
    await session.refresh();
    expect(session.state.get()).toBe("in");
  });
});
