import { expect, it } from "vitest";

import { world } from "../../tests/world";
import { Unreachable } from "./problem";

it("asks the server for what a conversation can do besides", async () => {
  const { http, server } = world();
  const template = { name: "hi", language: "en" };
  const message = {
    channel_id: "a",
    contact_id: "c1",
    body: "",
    template,
    variables: { "1": "x" },
  };
  const call = { channel_id: "v", contact_id: "c1" };
  const asked = [
    ["GET /entries/e1", () => http.entry("main", "e1"), {}],
    ["GET /channels/a/templates", () => http.templates("main", "a"), {}],
    ["POST /threads/t1/preview", () => http.preview("main", "t1", message), message],
    ["POST /threads/t1/calls", () => http.placeCall("main", "t1", "key", call), call],
    ["POST /entries/e1/follow-up", () => http.followUp("main", "e1", true), { done: true }],
    [
      "POST /entries/e1/reassign",
      () => http.reassign("main", "e1", null, "Why"),
      { contact_id: null, reason: "Why" },
    ],
    ["GET /contacts", () => http.contacts("main", "Elif"), {}],
    ["GET /approvals/e1", () => http.approval("main", "e1"), {}],
    ["POST /approvals/e1/approve", () => http.approve("main", "e1", { text: "A" }), { text: "A" }],
    [
      "POST /approvals/e1/reject",
      () => http.reject("main", "e1", "Too long"),
      { reason: "Too long" },
    ],
    ["POST /approvals/e1/withdraw", () => http.withdraw("main", "e1"), {}],
    ["PATCH /api/v1/me", () => http.changeMe({ phone: "+15550142" }), { phone: "+15550142" }],
  ] as const;
  for (const [route, ask, body] of asked) {
    server.on(route, { body: { of: route } });
    const answer = await ask();
    expect("position" in answer ? answer.data : answer).toEqual({ of: route });
    expect(server.last(route)?.body).toEqual(body);
  }
  expect(server.last("POST /threads/t1/calls")?.headers.get("Idempotency-Key")).toBe("key");
});

it("asks the server for what an account can do", async () => {
  const { http, server } = world();
  const asked = [
    ["GET /api/v1/session/ways", () => http.signInWays(), {}],
    ["GET /api/v1/sessions", () => http.sessions(), {}],
    ["DELETE /api/v1/sessions/s1", () => http.endSession("s1"), {}],
    ["POST /api/v1/sessions/end-others", () => http.endOtherSessions(), {}],
    ["GET /api/v1/me/second-factor", () => http.secondFactor(), {}],
    ["POST /api/v1/me/totp", () => http.beginTotp("pw"), { password: "pw" }],
    ["POST /api/v1/me/totp/confirm", () => http.confirmTotp("123456"), { code: "123456" }],
    [
      "POST /api/v1/me/second-factor/remove",
      () => http.removeSecondFactors({ password: null, last: true }),
      { password: null, last: true },
    ],
    ["POST /api/v1/me/recovery-codes", () => http.makeRecoveryCodes("pw"), { password: "pw" }],
    ["POST /api/v1/password-resets", () => http.askReset("a@b.c"), { email: "a@b.c" }],
    ["POST /api/v1/password-resets/look", () => http.lookAtReset("t"), { token: "t" }],
    [
      "POST /api/v1/password-resets/use",
      () => http.useReset("t", "pw"),
      { token: "t", password: "pw" },
    ],
    ["POST /api/v1/invitations/look", () => http.lookAtInvitation("t"), { token: "t" }],
    [
      "POST /api/v1/invitations/accept",
      () => http.acceptInvitation("t", "Nia", "pw"),
      { token: "t", name: "Nia", password: "pw" },
    ],
    ["POST /api/v1/invitations/join", () => http.joinByInvitation("t"), { token: "t" }],
  ] as const;
  for (const [route, ask, body] of asked) {
    server.on(route, { body: { of: route } });
    expect(await ask()).toEqual({ of: route });
    expect(server.last(route)?.body).toEqual(body);
  }
});

it("asks what a page brings along", async () => {
  const { http, server } = world();
  server.on("POST /api/v1/session/passkey", { body: { ticket: "t" } });
  const { data } = await http.ask((client) => client.POST("/api/v1/session/passkey"));
  expect(data).toEqual({ ticket: "t" });
});

it("asks again for what was under way while the session was renewed", async () => {
  const { http, server } = world();
  let asked = 0;
  server.on("POST /api/v1/me/totp/confirm", { body: {} });
  server.on("GET /api/v1/sessions", () => {
    asked += 1;
    return asked === 1 ? { status: 401, body: { status: 401 } } : { body: { items: [] } };
  });
  const [, sessions] = await Promise.all([http.confirmTotp("123456"), http.sessions()]);
  expect(sessions).toEqual({ items: [] });
  expect(asked).toBe(2);
});

it("says who a contact is", async () => {
  const { http, server } = world();
  server.on("PATCH /contacts/c1", { body: { account: "Otero Ltd" } });
  expect(await http.changeContact("main", "c1", { account: "Otero Ltd" })).toEqual({
    account: "Otero Ltd",
  });
  expect(server.last("PATCH /contacts/c1")?.body).toEqual({ account: "Otero Ltd" });
});

it("asks for whether somebody may be written to, and since when", async () => {
  const { http, server } = world();
  const route = "GET /api/v1/organisations/main/contacts/c1/consent";
  server.on("GET /contacts/c1/consent", { body: { of: route } });
  expect(await http.consentHistory("main", "c1", null)).toEqual({ of: route });
  server.on("POST /contacts/c1/consent", { body: { of: route } });
  const body = { channel_id: "a", address: "+15550100", state: "out", how: "By phone" } as const;
  expect(await http.changeConsent("main", "c1", body)).toEqual({ of: route });
});

it("has pictures that letters link to at the hub", () => {
  const url = world().http.pictureUrl("main", "e1", "https://a.example/b?c=d&e");
  expect(url).toBe(
    "/api/v1/organisations/main/entries/e1/picture?url=https%3A%2F%2Fa.example%2Fb%3Fc%3Dd%26e",
  );
});

it("takes an answer that broke off in its head for none", async () => {
  const { http, server } = world();
  server.on("POST /threads/t1/notes", { status: 201 });
  await expect(http.addNote("main", "t1", "key", "Text")).rejects.toBeInstanceOf(Unreachable);
});
