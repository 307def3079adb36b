import { describe, expect, it } from "vitest";

import { me, TestServer } from "../../tests/world";
import { Http } from "./http";
import { reasonOf, refusalOf, Refused, Unreachable } from "./problem";
import { Session } from "./session";

function make() {
  const server = new TestServer();
  const http = new Http({
    origin: "http://hub.test",
    fetch: server.fetch,
    upload: () => Promise.resolve(new Response(null, { status: 413 })),
  });
  return { server, http, session: new Session(http) };
}

const problem = (status: number, more: object = {}) => ({
  status,
  body: { type: "about:blank", title: "No", status, detail: "Not this time.", ...more },
});

describe("a session", () => {
  it("begins with who is there, or with nobody, or without a server", async () => {
    const { server, session } = make();
    server.on("GET /api/v1/me", { body: me });
    await session.begin();
    expect(session.state.get()).toBe("in");
    const nobody = make();
    nobody.server.on("GET /api/v1/me", problem(401));
    await nobody.session.begin();
    expect(nobody.session.state.get()).toBe("out");
    const down = make();
    down.server.on("GET /api/v1/me", () => new TypeError("no network"));
    await down.session.begin();
    expect(down.session.state.get()).toBe("unreachable");
  });

  it("signs in, and sends the token back on every change", async () => {
    const { server, session } = make();
    server
      .on("POST /api/v1/session", { body: { csrf_token: "fresh" }, status: 201 })
      .on("GET /api/v1/me", { body: { ...me, csrf_token: null } })
      .on("DELETE /api/v1/session", { status: 204 });
    expect(await session.signIn("mira@example.com", "right")).toBeNull();
    expect(session.state.get()).toBe("in");
    await session.signOut();
    expect(server.last("DELETE /api/v1/session")?.headers.get("X-CSRF-Token")).toBe("fresh");
    expect(server.last("GET /api/v1/me")?.headers.get("X-CSRF-Token")).toBeNull();
    expect(session.me.get()).toBeNull();
  });

  it("signs in with a second factor, and says why that failed", async () => {
    const { server, session } = make();
    server.on("POST /api/v1/session", { body: { ticket: "half", methods: ["code"] } });
    expect(await session.signIn("mira@example.com", "right")).toBeNull();
    expect(session.state.get()).toBe("starting");
    expect(session.ticket.get()).toBe("half");

    server.on("POST /api/v1/session/second", problem(422));
    expect(await session.secondStep("000000")).toBe("Not this time.");
    expect(session.ticket.get()).toBe("half");

    server
      .on("POST /api/v1/session/second", { body: { csrf_token: "fresh" } })
      .on("GET /api/v1/me", { body: me });
    expect(await session.secondStep("123456")).toBeNull();
    expect(server.last("POST /api/v1/session/second")?.body).toEqual({
      ticket: "half",
      code: "123456",
    });
    expect(session.state.get()).toBe("in");
    expect(session.ticket.get()).toBeNull();
  });

  it("begins anew when the second factor came too late", async () => {
    const { server, session } = make();
    server.on("POST /api/v1/session", { body: { ticket: "half", methods: ["code"] } });
    await session.signIn("mira@example.com", "right");
    server.on("POST /api/v1/session/second", problem(401));
    expect(await session.secondStep("123456")).toMatch(/too long/);
    expect(session.ticket.get()).toBeNull();
  });

  it("must set up a second factor first where that is asked for", async () => {
    const { server, session } = make();
    server.on("GET /api/v1/me", { body: { ...me, needs_second_factor: true } });
    await session.begin();
    expect(session.state.get()).toBe("factor");
    server.on("GET /api/v1/me", { body: me });
    await session.again();
    expect(session.state.get()).toBe("in");
  });

  it("knows how else one may sign in, asked once, or of nothing while it cannot ask", async () => {
    const { server, session } = make();
    server.on("GET /api/v1/session/ways", problem(503));
    expect((await session.ways()).providers).toEqual([]);
    const ways = { providers: [{ id: "work", label: "Work" }], mails: true, passkey_origin: null };
    server.on("GET /api/v1/session/ways", { body: ways });
    expect(await session.ways()).toEqual(ways);
    server.on("GET /api/v1/session/ways", problem(503));
    expect(await session.ways()).toEqual(ways);
  });

  it("stays signed out, whatever was asked before", async () => {
    const { server, session } = make();
    server.on("GET /api/v1/me", { body: me }).on("DELETE /api/v1/session", { status: 204 });
    await session.begin();
    const asked = Promise.all([session.again(), session.refresh()]);
    await session.signOut();
    await asked;
    expect(session.state.get()).toBe("out");
    expect(session.me.get()).toBeNull();
  });

  it("goes on with what is missing after a provider", () => {
    const { session } = make();
    session.resume("half", ["passkey", "code"]);
    expect(session.ticket.get()).toBe("half");
    expect(session.methods.get()).toEqual(["passkey", "code"]);
  });

  it("says why signing in failed", async () => {
    const { server, session } = make();
    server.on("POST /api/v1/session", problem(401));
    expect(await session.signIn("a@b.c", "x")).toMatch(/not right/);
    server.on("POST /api/v1/session", { ...problem(429), headers: { "Retry-After": "42" } });
    expect(await session.signIn("a@b.c", "x")).toBe("Too many attempts. Try again in 42 seconds.");
    server.on("POST /api/v1/session", problem(403, { code: "disabled" }));
    expect(await session.signIn("a@b.c", "x")).toBe("Not this time.");
    server.on("POST /api/v1/session", () => new TypeError("no network"));
    expect(await session.signIn("a@b.c", "x")).toBe("The server cannot be reached.");
    expect(session.state.get()).toBe("starting");
  });

  it("asks for a new password after a one-time one", async () => {
    const { server, session } = make();
    server
      .on("POST /api/v1/session", { body: { csrf_token: "fresh" }, status: 201 })
      .on("GET /api/v1/me", { body: { ...me, must_change_password: true } })
      .on("POST /api/v1/me/password", problem(422, { detail: "Too short." }));
    await session.signIn("a@b.c", "once");
    expect(session.state.get()).toBe("password");
    expect(await session.changePassword("once", "short")).toBe("Too short.");
    server.on("POST /api/v1/me/password", { status: 204 }).on("GET /api/v1/me", { body: me });
    expect(await session.changePassword("once", "a long enough one")).toBeNull();
    expect(session.state.get()).toBe("in");
  });

  it("asks for the token again when it is no longer the right one, once", async () => {
    const { server, http } = make();
    http.csrf = "old";
    const stale = problem(403, { code: "csrf" });
    server
      .on("GET /api/v1/me", { body: { ...me, csrf_token: "new" } })
      .on("POST /threads/t1/unread", ({ headers }) =>
        headers.get("X-CSRF-Token") === "new" ? { status: 200, body: {} } : stale,
      );
    await http.markUnread("main", "t1");
    expect(server.asked("POST /threads/t1/unread")).toBe(2);
    server.on("POST /threads/t1/unread", stale);
    await expect(http.markUnread("main", "t1")).rejects.toMatchObject({ status: 403 });
    expect(server.asked("POST /threads/t1/unread")).toBe(4);
    server.on("GET /api/v1/me", problem(401));
    await expect(http.markUnread("main", "t1")).rejects.toMatchObject({ status: 401 });
    server.on("POST /threads/t1/unread", { status: 403 });
    await expect(http.markUnread("main", "t1")).rejects.toMatchObject({ status: 403 });
  });

  it("is lost when the server no longer knows it, and found by signing in", async () => {
    const { server, http, session } = make();
    server.on("GET /api/v1/me", { body: me }).on("GET /members", problem(401));
    await session.begin();
    await expect(http.members("main")).rejects.toBeInstanceOf(Refused);
    expect(session.state.get()).toBe("lost");
    server.on("POST /api/v1/session", { body: { csrf_token: "again" }, status: 201 });
    await session.signIn("mira@example.com", "right");
    expect(session.state.get()).toBe("in");
  });
});

describe("a refusal in words", () => {
  const missing = { type: "", title: "", status: 400, detail: "The request does not fit." };
  const refused = (status: number, detail: string | null = null) =>
    new Refused(
      status,
      detail === null ? null : { type: "", title: "", status, detail },
      status === 429 ? 300 : null,
    );

  it.each([
    [new Unreachable("down"), "The server cannot be reached."],
    [new Error("?"), "Something unexpected went wrong."],
    [refused(401), "Your session has ended."],
    [refused(429), "Too many attempts. Try again in 5 minutes."],
    [new Refused(429, null, null), "Too many attempts."],
    [refused(422, "The contact has opted out."), "The contact has opted out."],
    [
      new Refused(400, { ...missing, errors: [{ field: "to", message: "is missing" }] }, null),
      "to: is missing",
    ],
    [refused(403), "You do not have the right to do this."],
    [refused(404), "It is no longer there."],
    [refused(413), "It is too large."],
    [refused(500), "The server answered with an error (500)."],
  ])("%s", (error, words) => {
    expect(reasonOf(error)).toBe(words);
  });

  it("is made of any answer, also one that is no problem document", () => {
    const answer = refusalOf(new Response("<html>", { status: 502 }), "<html>");
    expect(answer).toMatchObject({ status: 502, problem: null, retryAfter: null });
    expect(answer.passing).toBe(true);
    expect(refused(422).passing).toBe(false);
  });

  it("is the same for an upload", async () => {
    const { http } = make();
    const signal = new AbortController().signal;
    const sending = http.upload("main", new Blob(["x"]), "x.png", () => undefined, signal);
    await expect(sending).rejects.toMatchObject({ status: 413 });
  });

  it("needs nobody to hear of it", async () => {
    const http = new Http({
      origin: "http://hub.test",
      fetch: () => Promise.resolve(new Response(null, { status: 401 })),
      upload: () => Promise.reject(new Error("unused")),
    });
    await expect(http.me()).rejects.toMatchObject({ status: 401 });
  });

  it("is left alone when a request was called off", async () => {
    const http = new Http({
      origin: "http://hub.test",
      fetch: () => Promise.reject(new DOMException("off", "AbortError")),
      upload: () => Promise.reject(new Error("unused")),
    });
    await expect(http.changes("main", 1, 25, new AbortController().signal)).rejects.toMatchObject({
      name: "AbortError",
    });
  });
});
