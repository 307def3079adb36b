import createClient, { type Client } from "openapi-fetch";

import type { paths } from "./api";
import { refusalOf, Unreachable } from "./problem";
import { queryOf, withoutSearch } from "./scope";
import type {
  Attachment,
  Frame,
  Kind,
  Me,
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

/**
 * What is asked of the server, as functions. Here is what first paint and the core need; what only
 * pages and dialogs ask is beside them, in an `api.ts` of their own.
 */
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

  /** An operation that only one page uses, so that the page brings it along: `account/api.ts`. */
  ask<A extends Answer>(call: (client: Client<paths>) => Promise<A>) {
    return this.#read(call(this.#client));
  }

  /** The same, where neither the position nor the version matters. */
  answer<A extends Answer>(call: (client: Client<paths>) => Promise<A>) {
    return this.#data(call(this.#client));
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

  changeMe(body: MePatch) {
    return this.#data(this.#client.PATCH("/api/v1/me", { body }));
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
