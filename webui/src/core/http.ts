import createClient, { type Client } from "openapi-fetch";

import type { paths } from "./api";
import { refusalOf, Unreachable } from "./problem";
import { queryOf, withoutSearch } from "./scope";
import type {
  Attachment,
  DeliveryState,
  Frame,
  Kind,
  Me,
  ContactPatch,
  MePatch,
  Problem,
  Scope,
  SecondStep,
  ThreadPatch,
} from "./wire";

export interface HttpPorts {
  /** Where the server is, without a slash at the end. */
  origin: string;
  fetch: (request: Request) => Promise<Response>;
  /** Sends one file; apart from `fetch` because only that can tell its progress. */
  upload: (request: UploadRequest) => Promise<Response>;
}

export interface UploadRequest {
  url: string;
  headers: Record<string, string>;
  file: Blob;
  name: string;
  progress: (share: number) => void;
  signal: AbortSignal;
}

/** An answer and the position of the stream it is true at. */
export interface Read<T> {
  data: T;
  position: number;
  /** Which version was read, for a change that is to replace that one alone. */
  etag?: string | null;
}

interface Answer {
  data?: unknown;
  error?: unknown;
  response: Response;
}

export interface SendBody {
  channel_id: string;
  contact_id: string;
  body: string;
  to?: string | null;
  from?: string | null;
  attachment_ids?: string[];
  reply_to?: string;
  template?: { name: string; language: string };
  variables?: Record<string, string>;
}

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

export interface StartBody {
  channel_id: string;
  to: string;
  body: string;
  subject?: string;
  from?: string | null;
  attachment_ids?: string[];
  template?: { name: string; language: string };
  variables?: Record<string, string>;
}

/** Every operation of the server the pages use, as functions. */
export class Http {
  /** Sent back on every change; given by sign-in and by `me`. */
  csrf: string | null = null;
  /** Told when an answer says that nobody is signed in. */
  onSignedOut: () => void = () => undefined;

  #renewing: Promise<unknown> | null = null;
  #renewals = 0;
  readonly #client;
  readonly #ports: HttpPorts;

  constructor(ports: HttpPorts) {
    this.#ports = ports;
    this.#client = createClient<paths>({
      baseUrl: ports.origin,
      credentials: "same-origin",
      fetch: (request) => this.#fetch(request),
    });
    this.#client.use({
      onRequest: ({ request }) => {
        if (this.csrf !== null && request.method !== "GET")
          request.headers.set("X-CSRF-Token", this.csrf);
      },
    });
  }

  /** Sends a request; a change refused for an old token is sent once more with the one that holds. */
  async #fetch(request: Request): Promise<Response> {
    const again = request.clone();
    const before = this.#renewals;
    const response = await this.#ports.fetch(request);
    // It went out with the session that was, while another took its place.
    const renewed = this.#renewing !== null || this.#renewals !== before;
    if (response.status === 401 && request.method === "GET" && renewed) {
      await this.#renewing;
      return this.#ports.fetch(again);
    }
    if (response.status !== 403 || request.method === "GET") return response;
    const problem = (await response
      .clone()
      .json()
      .catch(() => null)) as Problem | null;
    if (problem?.code !== "csrf") return response;
    const answer = await this.#ports.fetch(new Request(`${this.#ports.origin}/api/v1/me`));
    if (!answer.ok) return answer;
    this.csrf = ((await answer.json()) as Me).csrf_token ?? null;
    if (this.csrf !== null) again.headers.set("X-CSRF-Token", this.csrf);
    return this.#ports.fetch(again);
  }

  /** A change after which the browser has another session. */
  async renew<T>(call: Promise<T>): Promise<T> {
    this.#renewing = call.catch(() => undefined);
    try {
      return await call;
    } finally {
      this.#renewing = null;
      this.#renewals += 1;
    }
  }

  async #read<A extends Answer>(call: Promise<A>): Promise<Read<NonNullable<A["data"]>>> {
    let answer: A;
    try {
      answer = await call;
    } catch (cause) {
      if (cause instanceof DOMException && cause.name === "AbortError") throw cause;
      throw new Unreachable("no answer", { cause });
    }
    const { response } = answer;
    if (!response.ok) {
      if (response.status === 401) this.onSignedOut();
      throw refusalOf(response, answer.error);
    }
    // One that broke off in its head has no body, and the browser takes it for whole.
    if (answer.data === undefined && response.status !== 204)
      throw new Unreachable("half an answer");
    return {
      data: answer.data as NonNullable<A["data"]>,
      position: Number(response.headers.get("X-Position") ?? 0),
      etag: response.headers.get("ETag"),
    };
  }

  async #data<A extends Answer>(call: Promise<A>): Promise<NonNullable<A["data"]>> {
    return (await this.#read(call)).data;
  }

  /** An operation that only one page uses, so that the page brings it along: `settings/api.ts`. */
  ask<A extends Answer>(call: (client: Client<paths>) => Promise<A>) {
    return this.#read(call(this.#client));
  }

  me() {
    return this.#data(this.#client.GET("/api/v1/me"));
  }

  /** Sign-in is asked for without `onSignedOut`: a wrong password is not a lost session. */
  async #quietly<T>(ask: () => Promise<T>): Promise<T> {
    const told = this.onSignedOut;
    this.onSignedOut = () => undefined;
    try {
      return await ask();
    } finally {
      this.onSignedOut = told;
    }
  }

  /** Who is signed in, or the step that is missing. */
  signIn(email: string, password: string): Promise<Me | SecondStep> {
    const body = { email, password };
    return this.#quietly(() => this.#data(this.#client.POST("/api/v1/session", { body })));
  }

  secondStep(ticket: string, code: string) {
    const body = { ticket, code };
    return this.#quietly(() => this.#data(this.#client.POST("/api/v1/session/second", { body })));
  }

  signInWays() {
    return this.#data(this.#client.GET("/api/v1/session/ways"));
  }

  sessions() {
    return this.#data(this.#client.GET("/api/v1/sessions"));
  }

  endSession(session_id: string) {
    const params = { path: { session_id } };
    return this.#data(this.#client.DELETE("/api/v1/sessions/{session_id}", { params }));
  }

  endOtherSessions() {
    return this.#data(this.#client.POST("/api/v1/sessions/end-others"));
  }

  secondFactor() {
    return this.#data(this.#client.GET("/api/v1/me/second-factor"));
  }

  beginTotp(password: string | null) {
    return this.#data(this.#client.POST("/api/v1/me/totp", { body: { password } }));
  }

  confirmTotp(code: string) {
    const body = { code };
    return this.renew(this.#data(this.#client.POST("/api/v1/me/totp/confirm", { body })));
  }

  removeSecondFactors(body: { password: string | null; last: boolean }) {
    return this.renew(this.#data(this.#client.POST("/api/v1/me/second-factor/remove", { body })));
  }

  makeRecoveryCodes(password: string | null) {
    return this.#data(this.#client.POST("/api/v1/me/recovery-codes", { body: { password } }));
  }

  askReset(email: string) {
    return this.#data(this.#client.POST("/api/v1/password-resets", { body: { email } }));
  }

  lookAtReset(token: string) {
    return this.#data(this.#client.POST("/api/v1/password-resets/look", { body: { token } }));
  }

  useReset(token: string, password: string) {
    const body = { token, password };
    return this.#data(this.#client.POST("/api/v1/password-resets/use", { body }));
  }

  lookAtInvitation(token: string) {
    return this.#data(this.#client.POST("/api/v1/invitations/look", { body: { token } }));
  }

  acceptInvitation(token: string, name: string, password: string) {
    const body = { token, name, password };
    return this.#data(this.#client.POST("/api/v1/invitations/accept", { body }));
  }

  joinByInvitation(token: string) {
    return this.#data(this.#client.POST("/api/v1/invitations/join", { body: { token } }));
  }

  signOut() {
    return this.#data(this.#client.DELETE("/api/v1/session"));
  }

  changePassword(current_password: string, new_password: string) {
    const body = { current_password, new_password };
    return this.renew(this.#data(this.#client.POST("/api/v1/me/password", { body })));
  }

  members(org: string) {
    const params = { path: { org } };
    return this.#data(this.#client.GET("/api/v1/organisations/{org}/members", { params }));
  }

  channels(org: string) {
    const params = { path: { org } };
    return this.#data(this.#client.GET("/api/v1/organisations/{org}/channels", { params }));
  }

  checkChannel(org: string, channel_id: string) {
    const params = { path: { org, channel_id } };
    return this.#data(
      this.#client.POST("/api/v1/organisations/{org}/channels/{channel_id}/check", { params }),
    );
  }

  threads(org: string, scope: Scope, cursor: string | null) {
    const query = { ...queryOf(scope), limit: 50, ...(cursor === null ? {} : { cursor }) };
    const params = { path: { org }, query };
    return this.#read(this.#client.GET("/api/v1/organisations/{org}/threads", { params }));
  }

  counts(org: string, scope: Scope) {
    const params = { path: { org }, query: queryOf(withoutSearch(scope)) };
    return this.#read(this.#client.GET("/api/v1/organisations/{org}/threads/counts", { params }));
  }

  thread(org: string, thread_id: string) {
    const params = { path: { org, thread_id } };
    return this.#read(
      this.#client.GET("/api/v1/organisations/{org}/threads/{thread_id}", { params }),
    );
  }

  patchThread(org: string, thread_id: string, body: ThreadPatch) {
    const params = { path: { org, thread_id } };
    return this.#read(
      this.#client.PATCH("/api/v1/organisations/{org}/threads/{thread_id}", { params, body }),
    );
  }

  markRead(org: string, thread_id: string, up_to: string) {
    const params = { path: { org, thread_id } };
    return this.#read(
      this.#client.POST("/api/v1/organisations/{org}/threads/{thread_id}/read", {
        params,
        body: { up_to },
      }),
    );
  }

  markUnread(org: string, thread_id: string) {
    const params = { path: { org, thread_id } };
    return this.#read(
      this.#client.POST("/api/v1/organisations/{org}/threads/{thread_id}/unread", { params }),
    );
  }

  entries(
    org: string,
    thread_id: string,
    kind: Kind,
    at: { before?: string; after?: string; around?: string } = {},
  ) {
    const params = { path: { org, thread_id }, query: { ...at, kind, limit: 50 } };
    return this.#read(
      this.#client.GET("/api/v1/organisations/{org}/threads/{thread_id}/entries", { params }),
    );
  }

  send(org: string, thread_id: string, key: string, body: SendBody) {
    const params = { path: { org, thread_id }, header: { "Idempotency-Key": key } };
    return this.#read(
      this.#client.POST("/api/v1/organisations/{org}/threads/{thread_id}/messages", {
        params,
        body,
      }),
    );
  }

  addNote(org: string, thread_id: string, key: string, text: string) {
    const params = { path: { org, thread_id }, header: { "Idempotency-Key": key } };
    return this.#read(
      this.#client.POST("/api/v1/organisations/{org}/threads/{thread_id}/notes", {
        params,
        body: { body: text },
      }),
    );
  }

  start(org: string, key: string, body: StartBody) {
    const params = { path: { org }, header: { "Idempotency-Key": key } };
    return this.#read(this.#client.POST("/api/v1/organisations/{org}/messages", { params, body }));
  }

  approvals(org: string, cursor: string | null) {
    const query = { limit: 50, ...(cursor === null ? {} : { cursor }) };
    const params = { path: { org }, query };
    return this.#read(this.#client.GET("/api/v1/organisations/{org}/approvals", { params }));
  }

  approval(org: string, approval_id: string) {
    const params = { path: { org, approval_id } };
    return this.#data(
      this.#client.GET("/api/v1/organisations/{org}/approvals/{approval_id}", { params }),
    );
  }

  approve(org: string, approval_id: string, body: { text?: string; subject?: string }) {
    const params = { path: { org, approval_id } };
    return this.#data(
      this.#client.POST("/api/v1/organisations/{org}/approvals/{approval_id}/approve", {
        params,
        body,
      }),
    );
  }

  reject(org: string, approval_id: string, reason: string) {
    const params = { path: { org, approval_id } };
    return this.#data(
      this.#client.POST("/api/v1/organisations/{org}/approvals/{approval_id}/reject", {
        params,
        body: { reason },
      }),
    );
  }

  withdraw(org: string, approval_id: string) {
    const params = { path: { org, approval_id } };
    return this.#read(
      this.#client.POST("/api/v1/organisations/{org}/approvals/{approval_id}/withdraw", {
        params,
      }),
    );
  }

  cancel(org: string, entry_id: string) {
    const params = { path: { org, entry_id } };
    return this.#read(
      this.#client.POST("/api/v1/organisations/{org}/entries/{entry_id}/cancel", { params }),
    );
  }

  retry(org: string, entry_id: string) {
    const params = { path: { org, entry_id } };
    return this.#read(
      this.#client.POST("/api/v1/organisations/{org}/entries/{entry_id}/retry", { params }),
    );
  }

  resolve(org: string, entry_id: string, outcome: "sent" | "failed" | "resolved") {
    const params = { path: { org, entry_id } };
    return this.#read(
      this.#client.POST("/api/v1/organisations/{org}/entries/{entry_id}/resolve", {
        params,
        body: { outcome },
      }),
    );
  }

  entry(org: string, entry_id: string) {
    const params = { path: { org, entry_id } };
    return this.#read(
      this.#client.GET("/api/v1/organisations/{org}/entries/{entry_id}", { params }),
    );
  }

  templates(org: string, channel_id: string) {
    const params = { path: { org, channel_id } };
    return this.#data(
      this.#client.GET("/api/v1/organisations/{org}/channels/{channel_id}/templates", { params }),
    );
  }

  preview(org: string, thread_id: string, body: SendBody) {
    const params = { path: { org, thread_id } };
    return this.#data(
      this.#client.POST("/api/v1/organisations/{org}/threads/{thread_id}/preview", {
        params,
        body,
      }),
    );
  }

  placeCall(org: string, thread_id: string, key: string, body: CallBody) {
    const params = { path: { org, thread_id }, header: { "Idempotency-Key": key } };
    return this.#read(
      this.#client.POST("/api/v1/organisations/{org}/threads/{thread_id}/calls", { params, body }),
    );
  }

  followUp(org: string, entry_id: string, done: boolean) {
    const params = { path: { org, entry_id } };
    return this.#read(
      this.#client.POST("/api/v1/organisations/{org}/entries/{entry_id}/follow-up", {
        params,
        body: { done },
      }),
    );
  }

  reassign(org: string, entry_id: string, contact_id: string | null, reason: string | null) {
    const params = { path: { org, entry_id } };
    return this.#read(
      this.#client.POST("/api/v1/organisations/{org}/entries/{entry_id}/reassign", {
        params,
        body: { contact_id, reason },
      }),
    );
  }

  contacts(org: string, q: string) {
    const params = { path: { org }, query: { q, limit: 20 } };
    return this.#data(this.#client.GET("/api/v1/organisations/{org}/contacts", { params }));
  }

  changeContact(org: string, contact_id: string, body: ContactPatch) {
    const params = { path: { org, contact_id } };
    return this.#data(
      this.#client.PATCH("/api/v1/organisations/{org}/contacts/{contact_id}", { params, body }),
    );
  }

  changeConsent(org: string, contact_id: string, body: ConsentBody) {
    const params = { path: { org, contact_id } };
    return this.#data(
      this.#client.POST("/api/v1/organisations/{org}/contacts/{contact_id}/consent", {
        params,
        body,
      }),
    );
  }

  consentHistory(org: string, contact_id: string, cursor: string | null) {
    const params = { path: { org, contact_id }, query: { cursor, limit: 20 } };
    return this.#data(
      this.#client.GET("/api/v1/organisations/{org}/contacts/{contact_id}/consent", { params }),
    );
  }

  changeMe(body: MePatch) {
    return this.#data(this.#client.PATCH("/api/v1/me", { body }));
  }

  /** Where the hub has a picture that a message links to. */
  pictureUrl(org: string, entry_id: string, url: string): string {
    const query = new URLSearchParams({ url }).toString();
    return `/api/v1/organisations/${encodeURIComponent(org)}/entries/${entry_id}/picture?${query}`;
  }

  deliveries(org: string, channel_id: string, state: DeliveryState | null, cursor: string | null) {
    const query = { limit: 50, ...(state ? { state } : {}), ...(cursor ? { cursor } : {}) };
    const params = { path: { org, channel_id }, query };
    return this.#data(
      this.#client.GET("/api/v1/organisations/{org}/channels/{channel_id}/deliveries", { params }),
    );
  }

  deliveryCounts(org: string, channel_id: string) {
    const params = { path: { org, channel_id } };
    return this.#data(
      this.#client.GET("/api/v1/organisations/{org}/channels/{channel_id}/deliveries/counts", {
        params,
      }),
    );
  }

  delivery(org: string, channel_id: string, delivery_id: string) {
    const params = { path: { org, channel_id, delivery_id } };
    return this.#data(
      this.#client.GET(
        "/api/v1/organisations/{org}/channels/{channel_id}/deliveries/{delivery_id}",
        { params },
      ),
    );
  }

  tryDelivery(org: string, channel_id: string, delivery_id: string) {
    const params = { path: { org, channel_id, delivery_id } };
    return this.#data(
      this.#client.POST(
        "/api/v1/organisations/{org}/channels/{channel_id}/deliveries/{delivery_id}/dry-run",
        { params },
      ),
    );
  }

  replayDelivery(org: string, channel_id: string, delivery_id: string) {
    const params = { path: { org, channel_id, delivery_id } };
    return this.#data(
      this.#client.POST(
        "/api/v1/organisations/{org}/channels/{channel_id}/deliveries/{delivery_id}/replay",
        { params },
      ),
    );
  }

  replayDeliveries(org: string, channel_id: string) {
    const params = { path: { org, channel_id } };
    return this.#data(
      this.#client.POST("/api/v1/organisations/{org}/channels/{channel_id}/deliveries/replay", {
        params,
      }),
    );
  }

  job(org: string, job_id: string) {
    const params = { path: { org, job_id } };
    return this.#data(this.#client.GET("/api/v1/organisations/{org}/jobs/{job_id}", { params }));
  }

  async changes(
    org: string,
    since: number | null,
    wait = 0,
    signal?: AbortSignal,
  ): Promise<Frame | { type: "reload"; position: number }> {
    const params = { path: { org }, query: since === null ? { wait } : { since, wait } };
    const answer = await this.#data(
      this.#client.GET("/api/v1/organisations/{org}/changes", {
        params,
        ...(signal ? { signal } : {}),
      }),
    );
    return answer as Frame | { type: "reload"; position: number };
  }

  /** Uploads one file; `progress` is told shares from 0 to 1. */
  async upload(
    org: string,
    file: Blob,
    name: string,
    progress: (share: number) => void,
    signal: AbortSignal,
  ): Promise<Attachment> {
    const url = `${this.#ports.origin}/api/v1/organisations/${encodeURIComponent(org)}/attachments`;
    const headers: Record<string, string> = this.csrf === null ? {} : { "X-CSRF-Token": this.csrf };
    const answer = await this.#data(
      this.#ports.upload({ url, headers, file, name, progress, signal }).then(async (response) => {
        const body: unknown = await response.json().catch(() => null);
        return response.ok ? { data: body as Attachment, response } : { error: body, response };
      }),
    );
    return answer as Attachment;
  }
}
