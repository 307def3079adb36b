import { Cell } from "./cell";
import type { Read } from "./http";
import { reasonOf, Refused } from "./problem";
import { merge } from "./status";
import type { Entry, EntryPage, Kind, ThreadDetail } from "./wire";

export interface ThreadPorts {
  detail: (id: string) => Promise<Read<ThreadDetail>>;
  entries: (
    id: string,
    kind: Kind,
    at?: { before?: string; after?: string; around?: string },
  ) => Promise<Read<EntryPage>>;
}

/** More than this is never in the page; the far end is let go. */
export const WINDOW = 300;

export type More = "none" | "some" | "loading" | "failed";

/** What stays of a conversation when it is left, to come back to exactly. */
export interface Spot {
  /** The entry at the top of the view, and how far above the edge it begins. */
  entry: string;
  offset: number;
}

function inOrder(a: Entry, b: Entry): number {
  if (a.sort_at !== b.sort_at) return Date.parse(a.sort_at) - Date.parse(b.sort_at) || 0;
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
}

/** One conversation: a window on its entries, what is being sent, and what the page needs to know. */
export class Thread {
  readonly detail = new Cell<ThreadDetail | null>(null);
  readonly state = new Cell<"loading" | "ready" | "gone">("loading");
  /** Why its entries could not be read; what was read before stays. */
  readonly problem = new Cell<string | null>(null);
  /** The same of what is known of it besides: addresses, consent, what it can be answered by. */
  readonly detailProblem = new Cell<string | null>(null);
  /** Whether it was opened at an entry that is not in it. */
  readonly missed = new Cell(false);
  readonly entries = new Cell<readonly Entry[]>([]);
  /** What was sent from here and has not come back from the server. */
  readonly pending = new Cell<readonly Entry[]>([]);
  readonly earlier = new Cell<More>("none");
  readonly later = new Cell<More>("none");
  readonly kind = new Cell<Kind>("all");
  /** The entry above which "Unread from here" stands, while the conversation is looked at. */
  readonly unreadFrom = new Cell<string | null>(null);
  /** Where the reader was, `null` at the newest. */
  spot: Spot | null = null;
  /** Told to stay unread: opening or reading on alone does not undo that. */
  keptUnread = false;

  #earlierCursor: string | null = null;
  #laterCursor: string | null = null;
  #asked = 0;
  #stale = true;
  /** The first reading under way, for whoever opens the conversation meanwhile. */
  #opening: Promise<void> | null = null;
  /** What came while a page was on its way, and may be newer than the page. */
  #arrived: Map<string, Entry> | null = null;
  /** The newest entry when the conversation was left. */
  #seen: string | null = null;
  readonly #positions = new Map<string, number>();
  /** A page that was on its way may still hold them. */
  readonly #removed = new Set<string>();

  constructor(
    readonly id: string,
    private readonly ports: ThreadPorts,
  ) {}

  /** Whether anything of it could not be read. */
  get failed(): boolean {
    return this.problem.get() !== null || this.detailProblem.get() !== null;
  }

  /** Whether the window reaches the newest entry. */
  get atNewest(): boolean {
    return this.later.get() === "none";
  }

  /** The stream lost its place: what is here may miss something. */
  markStale(): void {
    this.#stale = true;
    this.#asked += 1;
    this.#opening = null;
  }

  /** Reads what is missing: everything the first time or after a gap, else nothing. */
  async open(around: string | null = null): Promise<void> {
    const jump = around !== null && !this.entries.get().some((entry) => entry.id === around);
    if (!this.#stale && !jump && this.problem.get() === null) {
      await this.refreshDetail();
      return;
    }
    if (this.#opening && around === null) return this.#opening;
    const opening = this.#read(around);
    if (around === null) this.#opening = opening;
    try {
      await opening;
    } finally {
      if (this.#opening === opening) this.#opening = null;
    }
  }

  async #read(around: string | null): Promise<void> {
    const first = this.state.get() === "loading";
    const place = around ?? this.spot?.entry ?? null;
    await Promise.all([this.refreshDetail(), this.#loadPage(place)]);
    const detail = this.detail.get();
    if (first && detail && detail.unread > 0) this.#placeUnreadLine(detail.read_up_to ?? null);
  }

  /** Reads the newest page in place of what is here. */
  async jumpToNewest(): Promise<void> {
    this.spot = null;
    await this.#loadPage(null);
  }

  async refreshDetail(): Promise<void> {
    try {
      const { data } = await this.ports.detail(this.id);
      this.detailProblem.set(null);
      this.detail.set(data);
    } catch (error) {
      this.#failed(error, this.detailProblem);
    }
  }

  /** Shows one kind of entry: at once from what is here, then from the server. */
  async setKind(kind: Kind, around: string | null): Promise<void> {
    if (kind === this.kind.get()) return;
    this.kind.set(kind);
    if (kind !== "all")
      this.entries.set(this.entries.get().filter((entry) => entry.group === kind));
    await this.#loadPage(around);
  }

  async loadEarlier(): Promise<void> {
    if (this.#earlierCursor === null || this.earlier.get() === "loading") return;
    const asked = this.#asked;
    this.earlier.set("loading");
    try {
      const before = this.#earlierCursor;
      const { data, position } = await this.ports.entries(this.id, this.kind.get(), { before });
      if (asked !== this.#asked) return;
      this.#earlierCursor = data.earlier_cursor ?? null;
      this.#join(data.items, position);
      this.#trim("end");
      this.#settle();
    } catch {
      if (asked === this.#asked) this.earlier.set("failed");
    }
  }

  async loadLater(): Promise<void> {
    if (this.#laterCursor === null || this.later.get() === "loading") return;
    const asked = this.#asked;
    this.later.set("loading");
    try {
      const after = this.#laterCursor;
      const { data, position } = await this.ports.entries(this.id, this.kind.get(), { after });
      if (asked !== this.#asked) return;
      this.#laterCursor = data.later_cursor ?? null;
      this.#join(data.items, position);
      this.#trim("start");
      this.#settle();
    } catch {
      if (asked === this.#asked) this.later.set("failed");
    }
  }

  /** Puts what is being sent at the end. */
  addPending(entry: Entry): void {
    this.pending.update((pending) => [...pending, entry]);
  }

  dropPending(key: string): void {
    this.pending.update((pending) => pending.filter((entry) => entry.idempotency_key !== key));
  }

  /**
   * Takes an entry as it is at a position, from the stream or an answer, whichever is first; says
   * whether it is new here.
   */
  take(entry: Entry, position: number): boolean {
    if (position < (this.#positions.get(entry.id) ?? -1)) return false;
    this.#positions.set(entry.id, position);
    this.#arrived?.set(entry.id, entry);
    const entries = this.entries.get();
    const at = entries.findIndex((each) => each.id === entry.id);
    if (at >= 0) {
      const shown = entries[at];
      if (shown) this.entries.set(entries.with(at, merge(shown, entry)));
      return false;
    }
    if (entry.idempotency_key) this.dropPending(entry.idempotency_key);
    if (this.#stale || !this.#covers(entry)) return this.#stale ? false : this.#isNewest(entry);
    this.entries.set([...entries, entry].sort(inOrder));
    this.#trim("start");
    this.#settle();
    return true;
  }

  /** Lets go of an entry that turned out to be the same as another one. */
  remove(id: string, position: number): void {
    this.#positions.set(id, Math.max(position, this.#positions.get(id) ?? -1));
    this.#removed.add(id);
    this.drop(id);
  }

  /** Lets go of an entry that stands elsewhere now, or not any more. */
  drop(id: string): void {
    this.#arrived?.delete(id);
    const entries = this.entries.get().filter((entry) => entry.id !== id);
    if (this.#earlierCursor === id) this.#earlierCursor = entries[0]?.id ?? null;
    if (this.#laterCursor === id) this.#laterCursor = entries.at(-1)?.id ?? null;
    if (entries.length < this.entries.get().length) this.entries.set(entries);
  }

  /** The last entry known, when the window reaches it: what reading is counted up to. */
  newest(): Entry | null {
    return this.atNewest && this.kind.get() === "all" ? (this.entries.get().at(-1) ?? null) : null;
  }

  /** The conversation is left: the line has done its work. */
  leave(): void {
    this.#seen = this.newest()?.id ?? null;
    this.unreadFrom.set(null);
    this.keptUnread = false;
  }

  /** Looked at again, with something unread: the line stands above what came since. */
  arrive(): void {
    if (this.#seen !== null) this.#placeUnreadLine(this.#seen);
  }

  #covers(entry: Entry): boolean {
    const kind = this.kind.get();
    if (kind !== "all" && entry.group !== kind) return false;
    const entries = this.entries.get();
    const first = entries[0];
    const last = entries.at(-1);
    const afterStart = !first || this.#earlierCursor === null || inOrder(first, entry) < 0;
    const beforeEnd = !last || this.#laterCursor === null || inOrder(entry, last) < 0;
    return afterStart && beforeEnd;
  }

  #isNewest(entry: Entry): boolean {
    const last = this.entries.get().at(-1);
    return this.kind.get() === "all" && last !== undefined && inOrder(last, entry) < 0;
  }

  async #loadPage(around: string | null): Promise<void> {
    const asked = ++this.#asked;
    const arrived = (this.#arrived = new Map());
    try {
      const at = around === null ? {} : { around };
      const { data, position } = await this.ports.entries(this.id, this.kind.get(), at);
      if (asked !== this.#asked) return;
      this.#earlierCursor = data.earlier_cursor ?? null;
      this.#laterCursor = data.later_cursor ?? null;
      this.entries.set([]);
      this.#join(data.items, position);
      for (const entry of arrived.values()) {
        const at = this.#positions.get(entry.id) ?? position;
        if (at >= position && this.#covers(entry)) this.#join([entry], at);
      }
      this.#stale = false;
      this.problem.set(null);
      this.state.set("ready");
      this.#settle();
    } catch (error) {
      if (asked !== this.#asked) return;
      const wrong = error instanceof Refused && [400, 404].includes(error.status);
      if (around !== null && wrong) {
        // An entry may be gone, or in another conversation: this one is there all the same.
        const linked = around !== this.spot?.entry;
        this.spot = null;
        await this.#loadPage(null);
        if (linked && this.state.get() === "ready") this.missed.set(true);
      } else this.#failed(error, this.problem);
    } finally {
      if (this.#arrived === arrived) this.#arrived = null;
    }
  }

  #failed(error: unknown, problem: Cell<string | null>): void {
    if (error instanceof Refused && error.status === 404) this.state.set("gone");
    else problem.set(reasonOf(error));
  }

  #join(items: readonly Entry[], position: number): void {
    const byId = new Map(this.entries.get().map((entry) => [entry.id, entry]));
    for (const item of items) {
      const older = position < (this.#positions.get(item.id) ?? -1);
      if (older && (byId.has(item.id) || this.#removed.has(item.id))) continue;
      this.#positions.set(item.id, Math.max(position, this.#positions.get(item.id) ?? -1));
      const shown = byId.get(item.id);
      byId.set(item.id, shown ? merge(shown, item) : item);
      if (item.idempotency_key) this.dropPending(item.idempotency_key);
    }
    this.entries.set([...byId.values()].sort(inOrder));
  }

  #trim(end: "start" | "end"): void {
    const entries = this.entries.get();
    if (entries.length <= WINDOW) return;
    if (end === "start") {
      const kept = entries.slice(-WINDOW);
      this.#earlierCursor = kept[0]?.id ?? null;
      this.entries.set(kept);
    } else {
      const kept = entries.slice(0, WINDOW);
      this.#laterCursor = kept.at(-1)?.id ?? null;
      this.entries.set(kept);
    }
  }

  #settle(): void {
    this.earlier.set(this.#earlierCursor === null ? "none" : "some");
    this.later.set(this.#laterCursor === null ? "none" : "some");
  }

  #placeUnreadLine(readUpTo: string | null): void {
    const entries = this.entries.get();
    const readAt = entries.findIndex((entry) => entry.id === readUpTo);
    const first = entries.slice(readAt + 1).find((entry) => entry.direction === "in");
    this.unreadFrom.set(first?.id ?? null);
  }
}
