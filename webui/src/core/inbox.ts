import { Cell } from "./cell";
import type { Clock } from "./clock";
import { modeOf, optimisticEntry, refuseFile } from "./compose";
import { Drafts, NOTE, type Draft, type DraftText, type Storage } from "./drafts";
import type { Http, StartBody } from "./http";
import { List } from "./list";
import { isPassing, reasonOf, Refused } from "./problem";
import { isWhole, Rows } from "./rows";
import { Stream, type Socket, type SocketEvents } from "./stream";
import { t } from "./strings";
import { Thread } from "./thread";
import { Toasts } from "./toasts";
import type {
  Change,
  Channel,
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

/** A file a person picked, pasted or dropped. */
export interface PickedFile {
  blob: Blob;
  name: string;
  size: number;
  type: string;
}

const CACHED = 50;
/** For so long a change of a row that was asked for here is not news. */
const OWN_FOR = 5_000;
const LONGEST_WAIT = 30_000;

interface Sending {
  thread: string;
  draft: Draft;
  content: DraftText;
  key: string;
  tries: number;
}

/** Everything the inbox of one organisation knows and does. */
export class Inbox {
  readonly rows = new Rows();
  readonly list: List;
  readonly stream: Stream;
  readonly drafts: Drafts;
  readonly toasts: Toasts;
  readonly counts = new Cell<Counts | null>(null);
  readonly channels = new Cell<ReadonlyMap<string, Channel>>(new Map());
  readonly members = new Cell<readonly Member[]>([]);
  /** The conversation on screen. */
  readonly current = new Cell<string | null>(null);
  /** What a screen reader is to say. */
  readonly announcement = new Cell("");

  readonly #threads = new Map<string, Thread>();
  readonly #own = new Map<string, number>();
  readonly #readUpTo = new Map<string, string>();
  readonly #fetching = new Set<string>();
  readonly #blobs = new Map<string, { file: PickedFile; abort: AbortController }>();
  readonly #waiting = new Map<string, { sending: Sending; cancel: () => void }>();
  readonly #endings: (() => void)[] = [];
  #queue: Change[] = [];
  #framed = false;
  #wasDown = false;
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
      page: (scope, cursor) => http.threads(org, scope, cursor),
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
        counts: (counts) => {
          this.counts.set(counts);
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

  /** Subscribes first and reads second, so that nothing falls between. */
  start(scope: Scope): void {
    this.stream.start();
    this.#endings.push(
      this.ports.visible.subscribe(() => {
        this.#readOn();
      }),
      this.stream.state.subscribe(() => {
        const state = this.stream.state.get();
        if (state === "down") this.#wasDown = true;
        if (state !== "live") return;
        this.#sendWaiting();
        // Nobody can ask what was said of channels meanwhile.
        if (this.#wasDown) void this.loadChannels();
        this.#wasDown = false;
      }),
    );
    void this.loadChannels();
    void this.#loadMembers();
    void this.show(scope);
  }

  stop(): void {
    this.stream.stop();
    this.drafts.flush();
    for (const end of this.#endings.splice(0)) end();
    for (const { cancel } of this.#waiting.values()) cancel();
  }

  /** After the session was lost and found: everything that failed meanwhile is asked again. */
  resume(): void {
    this.stream.retryNow();
    this.#reload();
    void this.loadChannels();
    void this.#loadMembers();
  }

  async show(scope: Scope): Promise<void> {
    this.stream.show(scope);
    await Promise.all([this.list.show(scope), this.loadCounts()]);
  }

  async loadCounts(): Promise<void> {
    const scope = this.list.scope.get();
    try {
      const counts = await this.ports.http.counts(this.organisation.slug, scope);
      if (scope === this.list.scope.get()) this.counts.set(counts);
    } catch {
      // The counts that are shown stay; the list says what is wrong.
    }
  }

  /**
   * Reads the channels, and says why that did not work. Entries and rows are readable without, so
   * who shows those need not ask.
   */
  async loadChannels(): Promise<string | null> {
    try {
      const channels = await this.ports.http.channels(this.organisation.slug);
      this.channels.set(new Map(channels.map((channel) => [channel.id, channel])));
      return null;
    } catch (error) {
      return reasonOf(error);
    }
  }

  /** A channel as an answer has just described it. */
  learnChannel(channel: Channel): void {
    this.channels.update((channels) => new Map(channels).set(channel.id, channel));
  }

  async #loadMembers(): Promise<void> {
    try {
      this.members.set(await this.ports.http.members(this.organisation.slug));
    } catch {
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
          const read = await http.thread(org, thread_id);
          this.rows.put(read.data, read.position);
          return read;
        },
        entries: (thread_id, kind, at) => http.entries(org, thread_id, kind, at),
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

  setClosed(id: string, closed: boolean): void {
    const status = closed ? "closed" : "open";
    const failed = closed ? t.undone.close.failed : t.undone.reopen.failed;
    const change = closed ? { status, needs_response: false } : { status };
    void this.#act(id, change as Partial<ThreadRow>, { status }, failed);
  }

  setNeedsResponse(id: string, needs: boolean): void {
    const change = { needs_response: needs };
    void this.#act(id, change, change, t.undone.needsResponse.failed);
  }

  async markUnread(id: string): Promise<void> {
    const row = this.rows.get(id);
    if (!row || row.unread > 0) return;
    this.thread(id).keptUnread = true;
    this.#readUpTo.delete(id);
    await this.#optimistic(
      id,
      { unread: 1 },
      () => this.ports.http.markUnread(this.organisation.slug, id),
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
        const answer = await this.ports.http.patchThread(this.organisation.slug, id, patch);
        const before = this.rows.get(id);
        if (this.rows.put(answer.data, answer.position))
          this.list.changed(before, answer.data, false);
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
    this.#own.set(id, this.ports.clock.now() + OWN_FOR);
    this.rows.patch(id, change);
    const shown = this.rows.get(id);
    if (before && shown) this.list.changed(before, shown, false);
    try {
      await call();
    } catch (error) {
      const now = this.rows.get(id);
      if (before && now) {
        const back = Object.fromEntries(
          Object.entries(change)
            .filter(([key, value]) => now[key as keyof ThreadRow] === value)
            .map(([key]) => [key, before[key as keyof ThreadRow]]),
        );
        this.rows.patch(id, back);
        this.list.changed(now, { ...now, ...back }, false);
      }
      this.toasts.add(failed(reasonOf(error)), { label: t.action.retry, run: again });
    }
  }

  // Reading

  #readOn(): void {
    const id = this.current.get();
    if (id === null || !this.ports.visible.get()) return;
    if (this.#threads.get(id)?.keptUnread === false) this.#read(id);
  }

  #read(id: string): void {
    const newest = this.#threads.get(id)?.newest();
    if (!newest || (this.rows.get(id)?.unread ?? 0) === 0) return;
    if (this.#readUpTo.get(id) === newest.id) return;
    this.#readUpTo.set(id, newest.id);
    const before = this.rows.get(id);
    this.rows.patch(id, { unread: 0 });
    const row = this.rows.get(id);
    if (row) this.list.changed(before, row, false);
    this.ports.http.markRead(this.organisation.slug, id, newest.id).catch(() => {
      this.#readUpTo.delete(id);
    });
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
    for (const { type, position, thread, entry, channel } of changes) {
      if (type === "thread.changed") {
        if (isWhole(thread)) this.#takeRow(thread, position);
        else this.#recover((thread as Partial<ThreadRow> | null | undefined)?.id ?? null);
      } else if (entry) {
        this.#takeEntry(entry, position);
        if (!this.rows.get(entry.thread_id) && !told.has(entry.thread_id))
          this.#recover(entry.thread_id);
      } else if (channel) {
        this.learnChannel(channel);
      }
    }
    this.#readOn();
    if (this.stream.state.get() === "polling") void this.loadCounts();
  }

  #takeRow(row: ThreadRow, position: number): void {
    const before = this.rows.get(row.id);
    if (!this.rows.put(row, position)) return;
    const own = (this.#own.get(row.id) ?? 0) > this.ports.clock.now();
    this.list.changed(before, row, !own);
  }

  #takeEntry(entry: Entry, position: number): void {
    if (entry.idempotency_key) this.#settle(entry.idempotency_key);
    const thread = this.#threads.get(entry.thread_id);
    const isNew = thread?.take(entry, position) ?? false;
    if (!thread || this.current.get() !== entry.thread_id) return;
    if (isNew && entry.direction === "in") this.#announce(entry);
    // What may be sent goes by what was received, and by consent: ask what holds now.
    if (isNew && (entry.direction === "in" || entry.kind === "system")) void thread.refreshDetail();
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
        this.#takeRow(data, position);
      })
      .catch(() => this.list.load())
      .finally(() => this.#fetching.delete(id));
  }

  #reload(): void {
    for (const thread of this.#threads.values()) thread.markStale();
    void this.list.load();
    void this.loadCounts();
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

  // Sending

  /** Whether a draft could be sent as it is. */
  sendable(draft: Draft): boolean {
    const { text, files } = draft.content.get();
    if (files.some((file) => file.state !== "ready")) return false;
    return text.trim() !== "" || (files.length > 0 && draft.mode !== NOTE);
  }

  /** Sends a draft: in the thread at once, out of the field at once, and back if it is refused. */
  send(thread: Thread, draft: Draft): boolean {
    const detail = thread.detail.get();
    if (detail?.contact.id !== draft.contact || !this.sendable(draft)) return false;
    const mode = modeOf(detail, draft.mode);
    if (draft.mode !== NOTE && !mode?.can_send) return false;
    const content = draft.take();
    const key = content.key ?? this.ports.uuid();
    const own = content.own ?? mode?.own[0]?.value ?? null;
    const to = content.to ?? mode?.to[0]?.value ?? null;
    thread.addPending(
      optimisticEntry({
        key,
        thread: thread.id,
        mode: draft.mode,
        author: { id: this.organisation.member_id, name: this.person.name },
        text: content.text.trim(),
        address: to,
        own,
        attachments: content.files.flatMap((file) => file.attachment ?? []),
        channel: this.channels.get().get(draft.mode) ?? null,
        at: new Date(this.ports.clock.now()).toISOString(),
      }),
    );
    this.#own.set(thread.id, this.ports.clock.now() + OWN_FOR);
    const sending = { thread: thread.id, draft, content: { ...content, to, own }, key, tries: 0 };
    this.drafts.keepSending(draft, sending.content, key);
    void this.#deliver(sending);
    return true;
  }

  async #deliver(sending: Sending): Promise<void> {
    const { thread, draft, content, key } = sending;
    this.#waiting.delete(key);
    const org = this.organisation.slug;
    const { http, clock, random } = this.ports;
    const text = content.text.trim();
    try {
      const { data, position } =
        draft.mode === NOTE
          ? await http.addNote(org, thread, key, text)
          : await http.send(org, thread, key, {
              channel_id: draft.mode,
              contact_id: draft.contact,
              body: text,
              to: content.to,
              from: content.own,
              attachment_ids: content.files.flatMap((file) => file.attachment?.id ?? []),
            });
      this.#settle(key);
      this.drafts.dropSending(draft, key);
      this.thread(thread).take({ ...data, idempotency_key: key }, position);
      this.thread(thread).dropPending(key);
    } catch (error) {
      if (!isPassing(error)) {
        this.#returnDraft(sending, reasonOf(error));
        return;
      }
      // Nobody knows whether it arrived; under the same key it cannot go out twice.
      const told = error instanceof Refused && error.retryAfter !== null;
      const wait = told
        ? (error.retryAfter ?? 0) * 1_000
        : Math.min(LONGEST_WAIT, 1_000 * 2 ** sending.tries) * (1 - random() / 2);
      sending.tries += 1;
      const cancel = clock.after(wait, () => void this.#deliver(sending));
      this.#waiting.set(key, { sending, cancel });
    }
  }

  /** What waited for the server goes now. */
  #sendWaiting(): void {
    for (const { sending, cancel } of [...this.#waiting.values()]) {
      cancel();
      void this.#deliver(sending);
    }
  }

  /** The stream showed it: what was to be sent again is not. */
  #settle(key: string): void {
    const waiting = this.#waiting.get(key);
    if (!waiting) return;
    waiting.cancel();
    this.#waiting.delete(key);
    this.drafts.dropSending(waiting.sending.draft, key);
  }

  #returnDraft({ thread, draft, content, key }: Sending, reason: string): void {
    this.thread(thread).dropPending(key);
    this.drafts.dropSending(draft, key);
    draft.giveBack(content, reason, null);
    if (this.current.get() === thread) return;
    const who = this.rows.get(thread)?.contact.display ?? "";
    this.toasts.add(t.composer.notSentTo(who, reason));
  }

  /**
   * Sends the first message to an address; answers the conversation, or why not, and whether it may
   * have gone out all the same.
   */
  async startConversation(
    key: string,
    body: StartBody,
  ): Promise<{ thread: string } | { refusal: string; unsure: boolean }> {
    try {
      const { data, position } = await this.ports.http.start(this.organisation.slug, key, body);
      this.#own.set(data.thread_id, this.ports.clock.now() + OWN_FOR);
      this.#takeEntry(data, position);
      if (!this.rows.get(data.thread_id)) this.#recover(data.thread_id);
      return { thread: data.thread_id };
    } catch (error) {
      return { refusal: reasonOf(error), unsure: isPassing(error) };
    }
  }

  // What may be done to an entry

  async entryAction(entry: Entry, action: "cancel" | "retry" | "sent" | "failed"): Promise<void> {
    const { http } = this.ports;
    const org = this.organisation.slug;
    try {
      const { data, position } =
        action === "cancel"
          ? await http.cancel(org, entry.id)
          : action === "retry"
            ? await http.retry(org, entry.id)
            : await http.resolve(org, entry.id, action);
      this.thread(entry.thread_id).take(data, position);
    } catch (error) {
      this.toasts.add(t.undone.entry[action](reasonOf(error)));
    }
  }

  // Files

  /** Uploads a file into the draft it was given to, whatever is on screen when it is done. */
  attach(draft: Draft, file: PickedFile): void {
    const channel = this.channels.get().get(draft.mode) ?? null;
    const refusal = refuseFile(file, draft.content.get().files.length, channel);
    if (refusal !== null) {
      this.toasts.add(refusal);
      return;
    }
    const local = this.ports.uuid();
    draft.addFile({
      local,
      name: file.name,
      size: file.size,
      state: "uploading",
      progress: 0,
      reason: null,
      attachment: null,
    });
    void this.#upload(draft, local, file);
  }

  detach(draft: Draft, local: string): void {
    this.#blobs.get(local)?.abort.abort();
    this.#blobs.delete(local);
    draft.removeFile(local);
  }

  uploadAgain(draft: Draft, local: string): void {
    const kept = this.#blobs.get(local);
    if (!kept) return;
    draft.updateFile(local, { state: "uploading", progress: 0, reason: null });
    void this.#upload(draft, local, kept.file);
  }

  async #upload(draft: Draft, local: string, file: PickedFile): Promise<void> {
    const abort = new AbortController();
    this.#blobs.set(local, { file, abort });
    try {
      const attachment = await this.ports.http.upload(
        this.organisation.slug,
        file.blob,
        file.name,
        (progress) => {
          draft.updateFile(local, { progress });
        },
        abort.signal,
      );
      draft.updateFile(local, { state: "ready", progress: 1, attachment });
      this.#blobs.delete(local);
    } catch (error) {
      if (abort.signal.aborted) return;
      draft.updateFile(local, { state: "failed", reason: reasonOf(error) });
    }
  }
}
