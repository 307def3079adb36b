import { expect, it } from "vitest";

import { world } from "../../tests/world";
import * as api from "./api";

it("asks the server for what an account can do", async () => {
  const { http, server } = world();
  const asked = [
    ["GET /api/v1/sessions", () => api.sessions(http), {}],
    ["DELETE /api/v1/sessions/s1", () => api.endSession(http, "s1"), {}],
    ["POST /api/v1/sessions/end-others", () => api.endOtherSessions(http), {}],
    ["GET /api/v1/me/second-factor", () => api.secondFactor(http), {}],
    ["POST /api/v1/me/totp", () => api.beginTotp(http, "pw"), { password: "pw" }],
    ["POST /api/v1/me/totp/confirm", () => api.confirmTotp(http, "123456"), { code: "123456" }],
    [
      "POST /api/v1/me/second-factor/remove",
      () => api.removeSecondFactors(http, { password: null, last: true }),
      { password: null, last: true },
    ],
    ["POST /api/v1/me/recovery-codes", () => api.makeRecoveryCodes(http, "pw"), { password: "pw" }],
    ["POST /api/v1/password-resets", () => api.askReset(http, "a@b.c"), { email: "a@b.c" }],
    ["POST /api/v1/password-resets/look", () => api.lookAtReset(http, "t"), { token: "t" }],
    [
      "POST /api/v1/password-resets/use",
      () => api.useReset(http, "t", "pw"),
      { token: "t", password: "pw" },
    ],
    ["POST /api/v1/invitations/look", () => api.lookAtInvitation(http, "t"), { token: "t" }],
    [
      "POST /api/v1/invitations/accept",
      () => api.acceptInvitation(http, "t", "Nia", "pw"),
      { token: "t", name: "Nia", password: "pw" },
    ],
    ["POST /api/v1/invitations/join", () => api.joinByInvitation(http, "t"), { token: "t" }],
  ] as const;
  for (const [route, ask, body] of asked) {
    server.on(route, { body: { of: route } });
    expect(await ask()).toEqual({ of: route });
    expect(server.last(route)?.body).toEqual(body);
  }
});
