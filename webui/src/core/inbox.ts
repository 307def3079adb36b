import { Cell } from "./cell";
import type { Clock } from "./clock";
import { dayKey } from "./dates";
import { Drafts, type Storage } from "./drafts";
import type { Http, Read } from "./http";
import { List } from "./list";
import { reasonOf } from "./problem";
import { isWhole, rowOf, Rows } from "./rows";
import { isLate } from "./scope";
import { Sender } from "./sending";
import { Stream, type Socket, type SocketEvents } from "./stream";
import { t } from "./strings";
import { Thread } from "./thread";
import { Toasts } from "./toasts";
import { Uploads } from "./uploads";
import type {
  AlertChoices,
  Approval,
  Change,
  Channel,
  Colleague,
  Counts,
  Entry,
  Member,
  Organisation,
  Scope,
  ThreadPatch,
  ThreadRow,
} from "./wire";

export interface InboxPorts {
  http: Http;
  clock: Clock;
  random: () => number;
  uuid: () => string;
  storage: Storage;
  /** Runs before the next frame is painted. */
  nextFrame: (run: () => void) => void;
  connect: (path: string, events: SocketEvents) => Socket;
  /** Whether a person can see the page now. */
  visible: Cell<boolean>;
}

const CACHED = 50;
/** For so long a change of a row that was asked for here is not news. */
const OWN_FOR = 5_000;

const same = (one: unknown, other: unknown) => JSON.stringify(one) === JSON.stringify(other);

/** Whether a row says nothing new; what is known may hold more, as it was read with its details. */
const repeats = (known: ThreadRow, row: ThreadRow) =>
  (Object.keys(row) as (keyof ThreadRow)[]).every((name) => same(known[name], row[name]));

/** Everything the inbox of one organisation knows and does. */
export class Inbox {
  readonly rows = new Rows();
  readonly list: List;
  readonly stream: Stream;
  readonly drafts: Drafts;
  readonly toasts: Toasts;
  readonly sender = new Sender(this);
  readonly uploads = new Uploads(this);
  readonly counts = new Cell<Counts | null>(null);
  readonly channels = new Cell<ReadonlyMap<string, Channel>>(new Map());
  /** Why the channels could not be read last. */
  readonly channelsProblem = new Cell<string | null>(null);
  readonly members = new Cell<readonly Colleague[]>([]);
  /** The conversation on screen. */
  readonly current = new Cell<string | null>(null);
  /** Whether the person knows that the list begins with the last 30 days. */
  readonly rangeNoted = new Cell(true);
  /** What a screen reader is to say. */
  readonly announcement = new Cell("");

  /** What the stream said last of the approval queue. */
  readonly approval = new Cell<{ approval: Approval; position: number } | null>(null);

  /** The position at which the organisation's settings were changed last. */
  readonly settingsChanged = new Cell(0);
  /** The position at which members, roles, invitations or tokens were changed last. */
  readonly membersChanged = new Cell(0);

  /** What this person wants to be alerted of, once it is known. */
  readonly alertChoices = new Cell<AlertChoices | null>(null);
  /** Is told of what may be an alert; of a channel also how it was before. */
  alerted: ((change: Change, before?: Channel) => void) | null = null;

  readonly #told = new Set<string>();
  readonly #threads = new Map<string, Thread>();
  readonly #own = new Map<string, number>();
  readonly #readUpTo = new Map<string, string>();
  readonly #fetching = new Set<string>();
  readonly #endings: (() => void)[] = [];
  #queue: Change[] = [];
  #framed = false;
  #wasDown = false;
  #membersFailed = false;
  /** The position at which the counts that are shown are true. */
  #countedAt = 0;
  /** The earliest position that something was read at before the stream began. */
  #readBefore = Infinity;
  /** Until when what has become late is counted. */
  #lookedAt = 0;
  #announcedAt = -Infinity;

  constructor(
    readonly organisation: Organisation,
    readonly person: { id: string; name: string },
    readonly ports: InboxPorts,
  ) {
    const { http, clock } = ports;
    const org = organisation.slug;
    this.toasts = new Toasts(clock);
    this.drafts = new Drafts(person.id, org, ports.storage, clock);
    this.list = new List({
      clock,
      rows: this.rows,
      me: organisation.member_id,
      zone: { locale: undefined, timeZone: organisation.time_zone },
      page: (scope, cursor) => this.#asked(() => http.threads(org, scope, cursor)),
    });
    this.stream = new Stream(
      {
        clock,
        random: ports.random,
        connect: (since, events) =>
          ports.connect(
            `/api/v1/organisations/${encodeURIComponent(org)}/stream` +
              (since === null ? "" : `?since=${String(since)}`),
            events,
          ),
        changes: (since, wait, signal) => http.changes(org, since, wait, signal),
      },
      {
        changes: (changes) => {
          this.#gather(changes);
        },
        counts: (counts, position) => {
          this.#learnCounts(counts, position);
        },
        reload: () => {
          this.#reload();
        },
        resumed: (changes) => {
          this.#resumed(changes);
        },
      },
    );
  }

  /** Subscribes and reads at the same time; what falls between is read again. */
  async start(scope: Scope): Promise<void> {
    this.stream.start();
    this.#endings.push(
      this.ports.visible.subscribe(() => {
        this.#readOn();
      }),
      this.stream.state.subscribe(() => {
        const state = this.stream.state.get();
        if (state === "down") this.#wasDown = true;
        if (!this.stream.reached) return;
        this.sender.sendWaiting();
        this.#askAgain();
        // Nobody can ask what was said of channels meanwhile.
        if (this.#wasDown || this.channelsProblem.get() !== null) void this.loadChannels();
        if (this.#membersFailed) void this.#loadMembers();
        this.#wasDown = false;
      }),
    );
    void this.loadChannels();
    void this.#loadMembers();
    await this.show(scope);
  }

  stop(): void {
    this.stream.stop();
    this.drafts.flush();
    for (const end of this.#endings.splice(0)) end();
    this.sender.stop();
  }

  /** After the session was lost and found: everything that failed meanwhile is asked again. */
  resume(): void {
    this.stream.retryNow();
    this.#reload();
    void this.loadChannels();
  }

  /** What is read before the stream begins may miss what was never told: it is read again. */
  async #asked<T>(ask: () => Promise<Read<T>>): Promise<Read<T>> {
    const answer = await ask();
    const { began } = this.stream;
    if (began === null) this.#readBefore = Math.min(this.#readBefore, answer.position);
    else if (answer.position < began) return ask();
    return answer;
  }

  /** The stream is there: what could not be read without a network, or was read too early, is now. */
  #askAgain(): void {
    if (this.#readBefore < (this.stream.began ?? 0)) {
      this.#readBefore = Infinity;
      this.#reload();
      return;
    }
    if (this.list.problem.get() !== null) void this.list.load();
    const thread = this.#threads.get(this.current.get() ?? "");
    if (thread?.failed)
      void thread.open().then(() => {
        this.#readOn();
      });
    this.#readOn();
  }

  /**
   * Shows a list; `again` is for one that a person goes back to: as it was left. Says why its counts
   * could not be read: whoever shows nothing but those asks.
   */
  async show(scope: Scope, again = false): Promise<string | null> {
    this.#countedAt = 0;
    this.stream.show(scope);
    const [, why] = await Promise.all([this.list.show(scope, again), this.loadCounts()]);
    return why;
  }

  /** The person knows with which days the list begins: nothing tells them again, on any device. */
  async noteRange(): Promise<void> {
    if (this.rangeNoted.get()) return;
    this.rangeNoted.set(true);
    try {
      await this.ports.http.ask((client) =>
        client.PATCH("/api/v1/me", { body: { range_noted: true } }),
      );
    } catch {
      // They are told once more with the next visit.
    }
  }

  async loadCounts(): Promise<string | null> {
    const scope = this.list.scope.get();
    try {
      const { data, position } = await this.ports.http.counts(this.organisation.slug, scope);
      if (scope === this.list.scope.get()) this.#learnCounts(data, position);
      return null;
    } catch (error) {
      // The counts that are shown stay.
      return reasonOf(error);
    }
  }

  /** Takes counts unless those that are shown are newer. */
  #learnCounts(counts: Counts, position: number): void {
    if (position < this.#countedAt) return;
    this.#countedAt = position;
    this.counts.set(counts);
  }

  /**
   * Reads the channels, and says why that did not work. Entries and rows are readable without, so
   * who shows those need not ask.
   */
  async loadChannels(): Promise<string | null> {
    try {
      const channels = await this.ports.http.channels(this.organisation.slug);
      this.channels.set(new Map(channels.map((channel) => [channel.id, channel])));
      this.channelsProblem.set(null);
    } catch (error) {
      this.channelsProblem.set(reasonOf(error));
    }
    return this.channelsProblem.get();
  }

  /** A channel as an answer has just described it. */
  learnChannel(channel: Channel): void {
    this.channels.update((channels) => new Map(channels).set(channel.id, channel));
  }

  async #loadMembers(): Promise<void> {
    try {
      this.members.set(await this.ports.http.members(this.organisation.slug));
      this.#membersFailed = false;
    } catch {
      this.#membersFailed = true;
      // Assigning offers nobody then; everything else works.
    }
  }

  /** The conversation of an id, kept while it is among the last looked at. */
  thread(id: string): Thread {
    let thread = this.#threads.get(id);
    if (!thread) {
      const { http } = this.ports;
      const org = this.organisation.slug;
      thread = new Thread(id, {
        detail: async (thread_id) => {
          const read = await this.#asked(() => http.thread(org, thread_id));
          this.#takeRow(rowOf(read.data), read.position);
          return read;
        },
        entries: (thread_id, kind, at) => this.#asked(() => http.entries(org, thread_id, kind, at)),
      });
    }
    this.#threads.delete(id);
    this.#threads.set(id, thread);
    for (const [old] of this.#threads) {
      if (this.#threads.size <= CACHED) break;
      if (old !== this.current.get()) this.#threads.delete(old);
    }
    return thread;
  }

  /** Looks at a conversation, or at none. */
  async open(id: string | null, entry: string | null = null): Promise<void> {
    const before = this.current.get();
    if (before !== null && before !== id) this.#threads.get(before)?.leave();
    this.current.set(id);
    if (id === null) return;
    const thread = this.thread(id);
    if (before !== id && (this.rows.get(id)?.unread ?? 0) > 0) thread.arrive();
    await thread.open(entry);
    this.#readOn();
  }

  /** Reads ahead what is likely to be opened next. */
  prefetch(id: string): void {
    if (!this.#threads.has(id)) void this.thread(id).open();
  }

  // What a person does to a conversation: shown at once, confirmed or rolled back later.

  assign(id: string, member: Member | null): void {
    const patch = { assignee_id: member?.id ?? null };
    void this.#act(id, { assignee: member }, patch, t.undone.assign.failed);
  }

  /** Whether conversations may be assigned to this person by themselves. */
  async setAvailable(available: boolean): Promise<void> {
    const { slug, member_id } = this.organisation;
    const show = (now: boolean) => {
      this.members.update((members) =>
        members.map((each) => (each.id === member_id ? { ...each, available: now } : each)),
      );
    };
    show(available);
    try {
      const params = { path: { org: slug } };
      await this.ports.http.ask((client) =>
        client.PATCH("/api/v1/organisations/{org}/membership", { params, body: { available } }),
      );
    } catch (error) {
      show(!available);
      this.toasts.add(t.undone.available.failed(reasonOf(error)), {
        label: t.action.retry,
        run: () => void this.setAvailable(available),
      });
    }
  }

  /** Time has passed: what has become late since is counted, and listed where late ones are. */
  timePassed(): void {
    const since = this.#lookedAt;
    this.#lookedAt = this.ports.clock.now();
    const become = (row: ThreadRow) => isLate(row, this.#lookedAt) && !isLate(row, since);
    const { filter, range = "all", q } = this.list.scope.get();
    // Another day has begun: "today" is not what it was.
    const day = (at: number) => dayKey(new Date(at).toISOString(), this.list.zone);
    const turned = since > 0 && range !== "all" && day(since) !== day(this.#lookedAt);
    if (turned) this.list.forget();
    if (!turned && !this.rows.all().some(become)) return;
    void this.loadCounts();
    if (q === undefined && (turned || filter === "late")) void this.list.load();
  }

  setClosed(id: string, closed: boolean): void {
    const status = closed ? "closed" : "open";
    const failed = closed ? t.undone.close.failed : t.undone.reopen.failed;
    const change = closed ? { status, needs_response: false, reply_due_at: null } : { status };
    void this.#act(id, change as Partial<ThreadRow>, { status }, failed);
  }

  setNeedsResponse(id: string, needs: boolean): void {
    const patch = { needs_response: needs };
    const change = needs ? patch : { ...patch, reply_due_at: null };
    void this.#act(id, change, patch, t.undone.needsResponse.failed);
  }

  async markUnread(id: string): Promise<void> {
    const row = this.rows.get(id);
    if (!row || row.unread > 0) return;
    this.thread(id).keptUnread = true;
    this.#readUpTo.delete(id);
    await this.#optimistic(
      id,
      { unread: 1 },
      async () => {
        const { data, position } = await this.ports.http.markUnread(this.organisation.slug, id);
        this.#takeRow(rowOf(data), position);
      },
      t.undone.unread.failed,
      () => void this.markUnread(id),
    );
  }

  async markRead(id: string): Promise<void> {
    const thread = this.thread(id);
    thread.keptUnread = false;
    if (thread.newest() === null) await thread.open();
    this.#read(id);
  }

  /** What comes of this conversation next was asked for here: it is no news. */
  markOwn(id: string): void {
    this.#own.set(id, this.ports.clock.now() + OWN_FOR);
  }

  #act(
    id: string,
    change: Partial<ThreadRow>,
    patch: ThreadPatch,
    failed: (reason: string) => string,
  ): Promise<void> {
    return this.#optimistic(
      id,
      change,
      async () => {
        const { slug } = this.organisation;
        const { data, position } = await this.ports.http.patchThread(slug, id, patch);
        this.#takeRow(rowOf(data), position);
      },
      failed,
      () => void this.#act(id, change, patch, failed),
    );
  }

  async #optimistic(
    id: string,
    change: Partial<ThreadRow>,
    call: () => Promise<unknown>,
    failed: (reason: string) => string,
    again: () => void,
  ): Promise<void> {
    const before = this.rows.get(id);
    this.markOwn(id);
    this.rows.patch(id, change);
    const shown = this.rows.get(id);
    if (before && shown) this.list.changed(before, shown, false);
    try {
      await call();
    } catch (error) {
      this.#putBack(id, change);
      this.toasts.add(failed(reasonOf(error)), { label: t.action.retry, run: again });
    }
  }

  /** A change that failed: what it changed here is as the server told it last. */
  #putBack(id: string, change: Partial<ThreadRow>): void {
    const now = this.rows.get(id);
    const told = this.rows.told(id);
    if (!now || !told) return;
    const keys = (Object.keys(change) as (keyof ThreadRow)[]).filter(
      (key) => now[key] === change[key],
    );
    const back = Object.fromEntries(keys.map((key) => [key, told[key]]));
    this.rows.patch(id, back);
    this.list.changed(now, { ...now, ...back }, false);
  }

  // Reading

  #readOn(): void {
    const id = this.current.get();
    if (id === null || !this.ports.visible.get()) return;
    if (this.#threads.get(id)?.keptUnread === false) this.#read(id);
  }

  #read(id: string): void {
    const newest = this.#threads.get(id)?.newest();
    const row = this.rows.get(id);
    // Calls that are unresolved stay unread whoever has read them.
    if (!newest || !row || row.unread <= row.unresolved) return;
    if (this.#readUpTo.get(id) === newest.id) return;
    this.#readUpTo.set(id, newest.id);
    const change = { unread: row.unresolved };
    this.rows.patch(id, change);
    this.list.changed(row, { ...row, ...change }, false);
    void this.#markRead(id, newest.id, change);
  }

  async #markRead(id: string, upTo: string, change: Partial<ThreadRow>): Promise<void> {
    try {
      const { data, position } = await this.ports.http.markRead(this.organisation.slug, id, upTo);
      this.#takeRow(rowOf(data), position);
    } catch {
      this.#readUpTo.delete(id);
      this.#putBack(id, change);
    }
  }

  // What the stream brings

  #gather(changes: readonly Change[]): void {
    this.#queue.push(...changes);
    if (this.#framed) return;
    this.#framed = true;
    this.ports.nextFrame(() => {
      this.#framed = false;
      const queue = this.#queue;
      this.#queue = [];
      this.#apply(queue);
    });
  }

  #apply(changes: readonly Change[]): void {
    const told = new Set(changes.map((change) => change.thread?.id));
    const doers = new Map<string, string>();
    for (const { entry } of changes)
      if (typeof entry?.event?.by === "string") doers.set(entry.thread_id, entry.event.by);
    for (const change of changes) {
      const { type, position, thread, entry, channel, approval, entry_id, thread_id } = change;
      if (type === "thread.changed") {
        if (isWhole(thread)) this.#takeChange(thread, position, doers.get(thread.id));
        else this.#recover((thread as Partial<ThreadRow> | null | undefined)?.id ?? null);
      } else if (type === "entry.removed") {
        this.#threads.get(thread_id ?? "")?.remove(entry_id ?? "", position);
      } else if (entry) {
        this.#takeEntry(entry, position);
        if (!this.rows.get(entry.thread_id) && !told.has(entry.thread_id))
          this.#recover(entry.thread_id);
      } else if (channel) {
        const before = this.channels.get().get(channel.id);
        this.learnChannel(channel);
        this.alerted?.(change, before);
      } else if (approval) {
        this.approval.set({ approval, position });
      } else if (type === "settings.changed") {
        this.settingsChanged.set(position);
        // When answers are due goes by them.
        void this.list.load();
        void this.loadCounts();
      } else if (type === "members.changed") {
        this.membersChanged.set(position);
        void this.#loadMembers();
      }
      if (type === "entry.changed" && entry) this.#tellAuthor(entry);
    }
    // The rows of a frame come after its entries.
    for (const change of changes) if (change.alert) this.alerted?.(change);
    this.#readOn();
    if (this.stream.state.get() === "polling") void this.loadCounts();
  }

  #takeChange(row: ThreadRow, position: number, by: string | undefined): void {
    const before = this.rows.get(row.id);
    this.#takeRow(row, position, by);
    // Who the contact is stands in the details; of most of it the row says nothing.
    const elsewhere = before && (repeats(before, row) || !same(before.contact, row.contact));
    if (elsewhere && row.id === this.current.get()) void this.thread(row.id).refreshDetail();
  }

  #takeRow(row: ThreadRow, position: number, by: string | null = null): void {
    const before = this.rows.get(row.id);
    if (!this.rows.put(row, position)) return;
    const own = (this.#own.get(row.id) ?? 0) > this.ports.clock.now();
    this.list.changed(before, row, !own, by);
  }

  #takeEntry(entry: Entry, position: number): void {
    if (entry.idempotency_key) this.sender.settle(entry.idempotency_key);
    // A call may have been moved: it stands in one conversation.
    if (entry.call)
      for (const [id, other] of this.#threads) if (id !== entry.thread_id) other.drop(entry.id);
    const thread = this.#threads.get(entry.thread_id);
    const isNew = thread?.take(entry, position) ?? false;
    if (!thread || this.current.get() !== entry.thread_id) return;
    if (isNew && entry.direction === "in") this.#announce(entry);
    // What may be sent goes by what was received, and by consent: ask what holds now.
    if (isNew && (entry.direction === "in" || entry.kind === "system" || entry.subject))
      void thread.refreshDetail();
  }

  /** Who has written a message hears what was decided on it, wherever in the application they are. */
  #tellAuthor(entry: Entry): void {
    const { approval, status } = entry;
    if (approval?.member_id !== this.organisation.member_id || this.#told.has(entry.id)) return;
    const who = this.rows.get(entry.thread_id)?.contact.display ?? entry.address ?? "";
    const by = approval.decided_by ?? "";
    if (status === "rejected") this.toasts.add(t.approved.rejected(by, who, approval.reason ?? ""));
    else if (approval.state === "approved" && ["pending", "queued", "sent"].includes(status ?? ""))
      this.toasts.add(t.approved.approved(by, who));
    else return;
    this.#told.add(entry.id);
  }

  #announce(entry: Entry): void {
    const now = this.ports.clock.now();
    if (now - this.#announcedAt < 1_000) return;
    this.#announcedAt = now;
    const who = this.rows.get(entry.thread_id)?.contact.display ?? "";
    this.announcement.set(t.thread.announced(who, entry.text));
  }

  /** A row that cannot be patched is fetched, and the list if that fails; never dropped. */
  #recover(id: string | null): void {
    if (id === null) {
      void this.list.load();
      return;
    }
    if (this.#fetching.has(id)) return;
    this.#fetching.add(id);
    this.ports.http
      .thread(this.organisation.slug, id)
      .then(({ data, position }) => {
        this.#takeRow(rowOf(data), position);
      })
      .catch(() => this.list.load())
      .finally(() => this.#fetching.delete(id));
  }

  #reload(): void {
    this.#countedAt = 0;
    for (const thread of this.#threads.values()) thread.markStale();
    this.list.forget();
    void this.list.load();
    void this.loadCounts();
    void this.#loadMembers();
    const id = this.current.get();
    if (id === null) return;
    void this.thread(id)
      .open()
      .then(() => {
        this.#readOn();
      });
  }

  #resumed(changes: readonly Change[]): void {
    const id = this.current.get();
    const here = changes.some(
      ({ entry, thread }) => id !== null && (entry?.thread_id === id || thread?.id === id),
    );
    if (here) this.toasts.add(t.banner.back(changes.length));
    void this.loadCounts();
  }

  // What may be done to an entry

  async entryAction(
    entry: Entry,
    action: "cancel" | "withdraw" | "retry" | "sent" | "failed" | "resolved",
  ): Promise<void> {
    const { http } = this.ports;
    const org = this.organisation.slug;
    try {
      const { data, position } =
        action === "cancel"
          ? await http.cancel(org, entry.id)
          : action === "withdraw"
            ? await http.withdraw(org, entry.id)
            : action === "retry"
              ? await http.retry(org, entry.id)
              : await http.resolve(org, entry.id, action);
      this.learnEntry(data, position);
    } catch (error) {
      this.toasts.add(t.undone.entry[action](reasonOf(error)));
    }
  }

  /** An entry as an answer has just described it. */
  learnEntry(entry: Entry, position: number): void {
    this.markOwn(entry.thread_id);
    this.#takeEntry(entry, position);
    if (!this.rows.get(entry.thread_id)) this.#recover(entry.thread_id);
  }
}
