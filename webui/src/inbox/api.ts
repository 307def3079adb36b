import type { Http, SendBody } from "../core/http";
import type { ContactPatch } from "../core/wire";

export interface CallBody {
  channel_id: string;
  contact_id: string;
  to?: string | null;
  from?: string | null;
}

export interface ConsentBody {
  channel_id: string;
  address: string;
  state: "in" | "out";
  how: string;
}

export function entry(http: Http, org: string, entry_id: string) {
  const params = { path: { org, entry_id } };
  return http.ask((client) =>
    client.GET("/api/v1/organisations/{org}/entries/{entry_id}", { params }),
  );
}

export function templates(http: Http, org: string, channel_id: string) {
  const params = { path: { org, channel_id } };
  return http.answer((client) =>
    client.GET("/api/v1/organisations/{org}/channels/{channel_id}/templates", { params }),
  );
}

export function preview(http: Http, org: string, thread_id: string, body: SendBody) {
  const params = { path: { org, thread_id } };
  return http.answer((client) =>
    client.POST("/api/v1/organisations/{org}/threads/{thread_id}/preview", {
      params,
      body,
    }),
  );
}

export function placeCall(http: Http, org: string, thread_id: string, key: string, body: CallBody) {
  const params = { path: { org, thread_id }, header: { "Idempotency-Key": key } };
  return http.ask((client) =>
    client.POST("/api/v1/organisations/{org}/threads/{thread_id}/calls", { params, body }),
  );
}

export function followUp(http: Http, org: string, entry_id: string, done: boolean) {
  const params = { path: { org, entry_id } };
  return http.ask((client) =>
    client.POST("/api/v1/organisations/{org}/entries/{entry_id}/follow-up", {
      params,
      body: { done },
    }),
  );
}

export function reassign(
  http: Http,
  org: string,
  entry_id: string,
  contact_id: string | null,
  reason: string | null,
) {
  const params = { path: { org, entry_id } };
  return http.ask((client) =>
    client.POST("/api/v1/organisations/{org}/entries/{entry_id}/reassign", {
      params,
      body: { contact_id, reason },
    }),
  );
}

export function contacts(http: Http, org: string, q: string) {
  const params = { path: { org }, query: { q, limit: 20 } };
  return http.answer((client) => client.GET("/api/v1/organisations/{org}/contacts", { params }));
}

export function changeContact(http: Http, org: string, contact_id: string, body: ContactPatch) {
  const params = { path: { org, contact_id } };
  return http.answer((client) =>
    client.PATCH("/api/v1/organisations/{org}/contacts/{contact_id}", { params, body }),
  );
}

export function changeConsent(http: Http, org: string, contact_id: string, body: ConsentBody) {
  const params = { path: { org, contact_id } };
  return http.answer((client) =>
    client.POST("/api/v1/organisations/{org}/contacts/{contact_id}/consent", {
      params,
      body,
    }),
  );
}

export function consentHistory(http: Http, org: string, contact_id: string, cursor: string | null) {
  const params = { path: { org, contact_id }, query: { cursor, limit: 20 } };
  return http.answer((client) =>
    client.GET("/api/v1/organisations/{org}/contacts/{contact_id}/consent", { params }),
  );
}

/** Where the hub has a picture that a message links to. */
export function pictureUrl(org: string, entry_id: string, url: string): string {
  const query = new URLSearchParams({ url }).toString();
  return `/api/v1/organisations/${encodeURIComponent(org)}/entries/${entry_id}/picture?${query}`;
}
