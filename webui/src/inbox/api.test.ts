import { expect, it } from "vitest";

import { world } from "../../tests/world";
import * as api from "./api";

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
    ["GET /entries/e1", () => api.entry(http, "main", "e1"), {}],
    ["GET /channels/a/templates", () => api.templates(http, "main", "a"), {}],
    ["POST /threads/t1/preview", () => api.preview(http, "main", "t1", message), message],
    ["POST /threads/t1/calls", () => api.placeCall(http, "main", "t1", "key", call), call],
    ["POST /entries/e1/follow-up", () => api.followUp(http, "main", "e1", true), { done: true }],
    [
      "POST /entries/e1/reassign",
      () => api.reassign(http, "main", "e1", null, "Why"),
      { contact_id: null, reason: "Why" },
    ],
    ["GET /contacts", () => api.contacts(http, "main", "Elif"), {}],
  ] as const;
  for (const [route, ask, body] of asked) {
    server.on(route, { body: { of: route } });
    const answer = await ask();
    expect("position" in answer ? answer.data : answer).toEqual({ of: route });
    expect(server.last(route)?.body).toEqual(body);
  }
  expect(server.last("POST /threads/t1/calls")?.headers.get("Idempotency-Key")).toBe("key");
});

it("says who a contact is", async () => {
  const { http, server } = world();
  server.on("PATCH /contacts/c1", { body: { account: "Otero Ltd" } });
  expect(await api.changeContact(http, "main", "c1", { account: "Otero Ltd" })).toEqual({
    account: "Otero Ltd",
  });
  expect(server.last("PATCH /contacts/c1")?.body).toEqual({ account: "Otero Ltd" });
});

it("asks for whether somebody may be written to, and since when", async () => {
  const { http, server } = world();
  const route = "GET /api/v1/organisations/main/contacts/c1/consent";
  server.on("GET /contacts/c1/consent", { body: { of: route } });
  expect(await api.consentHistory(http, "main", "c1", null)).toEqual({ of: route });
  server.on("POST /contacts/c1/consent", { body: { of: route } });
  const body = { channel_id: "a", address: "+15550100", state: "out", how: "By phone" } as const;
  expect(await api.changeConsent(http, "main", "c1", body)).toEqual({ of: route });
});

it("has pictures that letters link to at the hub", () => {
  const url = api.pictureUrl("main", "e1", "https://a.example/b?c=d&e");
  expect(url).toBe(
    "/api/v1/organisations/main/entries/e1/picture?url=https%3A%2F%2Fa.example%2Fb%3Fc%3Dd%26e",
  );
});
