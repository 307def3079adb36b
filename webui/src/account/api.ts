import type { Http } from "../core/http";

export function sessions(http: Http) {
  return http.answer((client) => client.GET("/api/v1/sessions"));
}

export function endSession(http: Http, session_id: string) {
  const params = { path: { session_id } };
  return http.answer((client) => client.DELETE("/api/v1/sessions/{session_id}", { params }));
}

export function endOtherSessions(http: Http) {
  return http.answer((client) => client.POST("/api/v1/sessions/end-others"));
}

export function secondFactor(http: Http) {
  return http.answer((client) => client.GET("/api/v1/me/second-factor"));
}

export function beginTotp(http: Http, password: string | null) {
  return http.answer((client) => client.POST("/api/v1/me/totp", { body: { password } }));
}

export function confirmTotp(http: Http, code: string) {
  const body = { code };
  return http.renew(http.answer((client) => client.POST("/api/v1/me/totp/confirm", { body })));
}

export function removeSecondFactors(http: Http, body: { password: string | null; last: boolean }) {
  return http.renew(
    http.answer((client) => client.POST("/api/v1/me/second-factor/remove", { body })),
  );
}

export function makeRecoveryCodes(http: Http, password: string | null) {
  return http.answer((client) => client.POST("/api/v1/me/recovery-codes", { body: { password } }));
}

export function askReset(http: Http, email: string) {
  return http.answer((client) => client.POST("/api/v1/password-resets", { body: { email } }));
}

export function lookAtReset(http: Http, token: string) {
  return http.answer((client) => client.POST("/api/v1/password-resets/look", { body: { token } }));
}

export function useReset(http: Http, token: string, password: string) {
  const body = { token, password };
  return http.answer((client) => client.POST("/api/v1/password-resets/use", { body }));
}

export function lookAtInvitation(http: Http, token: string) {
  return http.answer((client) => client.POST("/api/v1/invitations/look", { body: { token } }));
}

export function acceptInvitation(http: Http, token: string, name: string, password: string) {
  const body = { token, name, password };
  return http.answer((client) => client.POST("/api/v1/invitations/accept", { body }));
}

export function joinByInvitation(http: Http, token: string) {
  return http.answer((client) => client.POST("/api/v1/invitations/join", { body: { token } }));
}
