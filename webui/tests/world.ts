import { Cell } from "../src/core/cell";
import type { Clock } from "../src/core/clock";
import type { Storage } from "../src/core/drafts";
import { Http } from "../src/core/http";
import { Inbox, type InboxPorts } from "../src/core/inbox";
import type { SocketEvents } from "../src/core/stream";
import type {
  Call,
  Change,
  Channel,
  Counts,
  Entry,
  Frame,
  Me,
  Member,
  Organisation,
  ThreadDetail,
  ThreadRow,
} from "../src/core/wire";

/** Time that stands still until it is moved. */
export class TestClock implements Clock {
  #now = Date.parse("2026-11-20T12:00:00Z");
  #timers: { at: number; run: () => void }[] = [];

  now(): number {
    return this.#now;
  }

  after(ms: number, run: () => void): () => void {
    const timer = { at: this.#now + ms, run };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((each) => each !== timer);
    };
  }

  /** Lets time pass, and runs what falls due, in order. */
  pass(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      const due = this.#timers.filter((each) => each.at <= end).sort((a, b) => a.at - b.at)[0];
      if (!due) break;
      this.#timers = this.#timers.filter((each) => each !== due);
      this.#now = Math.max(this.#now, due.at);
      due.run();
    }
    this.#now = end;
  }

  get waiting(): number {
    return this.#timers.length;
  }
}

export class MemoryStorage implements Storage {
  readonly content = new Map<string, string>();
  get(key: string): string | null {
    return this.content.get(key) ?? null;
  }
  set(key: string, value: string): void {
    this.content.set(key, value);
  }
  remove(key: string): void {
    this.content.delete(key);
  }
  keys(): string[] {
    return [...this.content.keys()];
  }
}

/** Lets everything that was promised happen. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 40; turn += 1) await Promise.resolve();
  await new Promise((resolve) => setTimeout(resolve, 0));
  for (let turn = 0; turn < 40; turn += 1) await Promise.resolve();
}

export function minutesAgo(minutes: number): string {
  return new Date(Date.parse("2026-11-20T12:00:00Z") - minutes * 60_000).toISOString();
}

export const mira: Member = {
  id: "m1",
  name: "Mira Lind",
  email: "mira@example.com",
  active: true,
};
export const ana: Member = { id: "m2", name: "Ana Ruiz", email: "ana@example.com", active: true };

export const organisation: Organisation = {
  id: "o1",
  slug: "main",
  name: "Northwind",
  time_zone: "Europe/Berlin",
  member_id: "m1",
  role: "admin",
  capabilities: ["messages.view", "messages.send"],
  channels: null,
  own_addresses: [],
};

export const me: Me = {
  user_id: "u1",
  name: "Mira Lind",
  email: "mira@example.com",
  must_change_password: false,
  phone: null,
  organisations: [organisation],
  csrf_token: "token",
};

export function channel(id: string, change: Partial<Channel> = {}): Channel {
  return {
    id,
    plugin: id,
    name: `Channel ${id}`,
    group: "texts",
    icon: { name: "smartphone", path: null },
    tone: "blue",
    state: "ok",
    reason: null,
    paused: false,
    outbound: true,
    own_addresses: [{ value: "+15550001", display: "+1 555 0001" }],
    address_scheme: "phone",
    subject: false,
    media_out: true,
    media_max_bytes: 1_000_000,
    media_max_count: 2,
    media_max_total: null,
    copies: false,
    media_types: ["image/*", "application/pdf"],
    verified: true,
    page_url: null,
    page_label: null,
    running: true,
    version: "1.0.0",
    templates: false,
    real: true,
    ...change,
  } as Channel;
}

export function row(id: string, change: Partial<ThreadRow> = {}): ThreadRow {
  return {
    id,
    contact: { id: `c-${id}`, name: `Contact ${id}`, display: `Contact ${id}` },
    status: "open",
    needs_response: false,
    unread: 0,
    unresolved: 0,
    assignee: null,
    preview: { text: "Hello", direction: "in", channel_id: "a", status: null },
    channel_id: "a",
    channel_ids: ["a"],
    sort_at: minutesAgo(10),
    active_at: minutesAgo(10),
    created_at: minutesAgo(1000),
    ...change,
  };
}

export function detail(id: string, change: Partial<ThreadDetail> = {}): ThreadDetail {
  const base = row(id);
  return {
    ...base,
    details: {
      ...base.contact,
      addresses: [
        { id: "a1", scheme: "phone", value: "+15550100", display: "+1 555 0100", verified: true },
      ],
      created_at: minutesAgo(1000),
    },
    consents: [],
    compose: [
      {
        channel_id: "a",
        can_send: true,
        reason: null,
        may: "free",
        until: null,
        templates: false,
        replies: false,
        to: [{ value: "+15550100", display: "+1 555 0100" }],
        own: [{ value: "+15550001", display: "+1 555 0001" }],
        max_length: 1600,
        counter: "sms",
        subject: false,
      },
      {
        channel_id: "b",
        can_send: false,
        reason: "Opted out on 3 May",
        may: "closed",
        until: null,
        templates: false,
        replies: false,
        to: [],
        own: [],
        max_length: null,
        counter: null,
        subject: false,
      },
    ],
    calls: [],
    default_channel_id: "a",
    read_up_to: null,
    ...change,
  };
}

export function entry(id: string, thread: string, change: Partial<Entry> = {}): Entry {
  const at = change.occurred_at ?? minutesAgo(10);
  return {
    id,
    thread_id: thread,
    kind: "message",
    group: "texts",
    direction: "in",
    author: { kind: "contact", id: `c-${thread}`, name: null },
    channel_id: "a",
    address: "+1 555 0100",
    own_address: null,
    text: `Text of ${id}`,
    subject: null,
    blocks: [],
    attachments: [],
    event: null,
    status: null,
    status_reason: null,
    status_at: null,
    can_cancel: false,
    can_retry: false,
    can_resolve: false,
    occurred_at: at,
    sort_at: at,
    idempotency_key: null,
    warnings: [],
    template: null,
    answers: null,
    edited_at: null,
    wordings: [],
    deleted_at: null,
    reactions: [],
    engagement: null,
    call: null,
    approval: null,
    mentions: [],
    ...change,
  };
}

export function callOf(change: Partial<Call> = {}): Call {
  return {
    outcome: "missed",
    duration: null,
    ended_at: null,
    lines: [],
    voicemail: null,
    summary: null,
    facts: [],
    result: null,
    follow_up: null,
    due_at: null,
    follow_up_done_at: null,
    handed_over: false,
    unresolved: false,
    resolved_at: null,
    resolved_by: null,
    member: null,
    live: false,
    ...change,
  };
}

type Answer = {
  status?: number;
  body?: unknown;
  position?: number;
  headers?: Record<string, string>;
};
type Handler = (request: {
  body: Record<string, unknown>;
  query: URLSearchParams;
  headers: Headers;
}) => Answer | Promise<Answer> | Error;

export const counts: Counts = {
  filter: { all: 3, unread: 1, unassigned: 2, mine: 1, needs_response: 0 },
  status: { open: 3, unread: 1, closed: 0, all: 3 },
  unread_total: 1,
  approvals: 0,
};

/** A server in the same process: answers requests by their method and path. */
export class TestServer {
  readonly requests: { route: string; body: Record<string, unknown>; headers: Headers }[] = [];
  readonly #handlers = new Map<string, Handler>();
  position = 10;

  on(route: string, handler: Handler | Answer): this {
    this.#handlers.set(route, typeof handler === "function" ? handler : () => handler);
    return this;
  }

  asked(route: string): number {
    return this.requests.filter((request) => request.route === route).length;
  }

  last(route: string): { body: Record<string, unknown>; headers: Headers } | undefined {
    return this.requests.findLast((request) => request.route === route);
  }

  readonly fetch = async (request: Request): Promise<Response> => {
    const url = new URL(request.url);
    const path = url.pathname.replace("/api/v1/organisations/main", "");
    const route = `${request.method} ${path}`;
    const text = await request.text();
    const body = text === "" ? {} : (JSON.parse(text) as Record<string, unknown>);
    this.requests.push({ route, body, headers: request.headers });
    const handler = this.#handlers.get(route);
    if (!handler) return new Response(null, { status: 404 });
    const answer = await handler({ body, query: url.searchParams, headers: request.headers });
    if (answer instanceof Error) throw answer;
    const { status = 200, body: content, position = this.position, headers = {} } = answer;
    return new Response(content === undefined ? null : JSON.stringify(content), {
      status,
      headers: { "X-Position": String(position), ...headers },
    });
  };
}

export class TestSockets {
  readonly opened: { path: string; events: SocketEvents; sent: string[]; closed: boolean }[] = [];

  readonly connect = (path: string, events: SocketEvents) => {
    const socket = { path, events, sent: [] as string[], closed: false };
    this.opened.push(socket);
    return {
      send: (text: string) => {
        socket.sent.push(text);
      },
      close: () => {
        socket.closed = true;
      },
    };
  };

  get last() {
    const last = this.opened.at(-1);
    if (!last) throw new Error("no socket was opened");
    return last;
  }

  say(message: object): void {
    this.last.events.message(JSON.stringify(message));
  }

  frame(frame: Frame): void {
    this.say(frame);
  }
}

export interface World {
  clock: TestClock;
  storage: MemoryStorage;
  server: TestServer;
  sockets: TestSockets;
  http: Http;
  visible: Cell<boolean>;
  ports: InboxPorts;
  inbox: Inbox;
}

/** An inbox with a server that has two conversations. */
export function world(change: { storage?: MemoryStorage } = {}): World {
  const clock = new TestClock();
  const storage = change.storage ?? new MemoryStorage();
  const server = new TestServer();
  const sockets = new TestSockets();
  const visible = new Cell(true);
  let made = 0;
  const http = new Http({
    origin: "http://hub.test",
    fetch: server.fetch,
    upload: async ({ url, headers, name }) =>
      server.fetch(new Request(url, { method: "POST", headers, body: JSON.stringify({ name }) })),
  });
  const ports: InboxPorts = {
    http,
    clock,
    random: () => 0,
    uuid: () => `key-${String(++made)}`,
    storage,
    nextFrame: (run) => {
      run();
    },
    connect: sockets.connect,
    visible,
  };
  server
    .on("GET /members", { body: [mira, ana] })
    .on("GET /channels", { body: [channel("a"), channel("b")] })
    .on("GET /threads/counts", { body: counts })
    .on("GET /threads", { body: { items: [row("t1"), row("t2")], next_cursor: null } })
    .on("GET /threads/t1", { body: detail("t1") })
    .on("GET /threads/t2", { body: detail("t2") })
    .on("GET /threads/t1/entries", { body: page([entry("e1", "t1")]) })
    .on("GET /threads/t2/entries", { body: page([entry("f1", "t2")]) });
  const inbox = new Inbox(organisation, { id: "u1", name: "Mira Lind" }, ports);
  return { clock, storage, server, sockets, http, visible, ports, inbox };
}

export function page(items: Entry[], earlier: string | null = null, later: string | null = null) {
  return { items, earlier_cursor: earlier, later_cursor: later };
}

/** A promise to be kept later. */
export function later<T>(): { promise: Promise<T>; keep: (value: T) => void } {
  let keep: (value: T) => void = () => undefined;
  const promise = new Promise<T>((resolve) => {
    keep = resolve;
  });
  return { promise, keep };
}

/** An inbox that shows the open conversations, with a stream. */
export async function started(change: (world: World) => void = () => undefined): Promise<World> {
  const made = world();
  change(made);
  made.inbox.start({ status: "open", filter: "all" });
  made.sockets.say({ type: "hello", position: 10 });
  await settled();
  return made;
}

/** The stream says what is new. */
export function push({ sockets, inbox }: World, ...changes: Omit<Change, "position">[]): void {
  const from = inbox.stream.position ?? 0;
  const placed = changes.map((change, place) => ({ ...change, position: from + place + 1 }));
  sockets.frame({ from, to: from + placed.length, changes: placed });
}

export const added = (next: Entry): Omit<Change, "position"> => ({
  type: "entry.added",
  entry: next,
});
export const changed = (next: ThreadRow): Omit<Change, "position"> => ({
  type: "thread.changed",
  thread: next,
});
export const draftOf = ({ inbox }: World, thread: string, mode = "a") =>
  inbox.drafts.open(`c-${thread}`, mode);
export const entries = ({ inbox }: World, thread: string) =>
  inbox
    .thread(thread)
    .entries.get()
    .map((each) => each.text);
export const pending = ({ inbox }: World, thread: string) =>
  inbox
    .thread(thread)
    .pending.get()
    .map((each) => each.text);
