import { expect, it } from "vitest";

import { world } from "../../tests/world";
import { Unreachable } from "./problem";

it("asks the server for what the core needs", async () => {
  const { http, server } = world();
  const asked = [
    ["GET /api/v1/session/ways", () => http.signInWays(), {}],
    ["POST /approvals/e1/withdraw", () => http.withdraw("main", "e1"), {}],
    ["PATCH /api/v1/me", () => http.changeMe({ phone: "+15550142" }), { phone: "+15550142" }],
  ] as const;
  for (const [route, ask, body] of asked) {
    server.on(route, { body: { of: route } });
    const answer = await ask();
    expect("position" in answer ? answer.data : answer).toEqual({ of: route });
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
  const [, sessions] = await Promise.all([
    http.renew(
      http.ask((client) => client.POST("/api/v1/me/totp/confirm", { body: { code: "123456" } })),
    ),
    http.answer((client) => client.GET("/api/v1/sessions")),
  ]);
  expect(sessions).toEqual({ items: [] });
  expect(asked).toBe(2);
});

it("takes an answer that broke off in its head for none", async () => {
  const { http, server } = world();
  server.on("POST /threads/t1/notes", { status: 201 });
  await expect(http.addNote("main", "t1", "key", "Text")).rejects.toBeInstanceOf(Unreachable);
});
