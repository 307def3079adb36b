import { Cell, CellMap } from "./cell";
import type { Clock } from "./clock";
import type { Zone } from "./dates";
import { reasonOf } from "./problem";
import { boundsOf, type Bounds } from "./range";
import { RiseGate } from "./rise";
import type { Rows } from "./rows";
import { byActivity, defaultScope, matches, sameScope, scopeKey } from "./scope";
import { t } from "./strings";
import type { Read } from "./http";
import type { Scope, SearchMatch, ThreadPage, ThreadRow } from "./wire";

export interface ListPorts {
  clock: Clock;
  rows: Rows;
  /** The reader's member id. */
  me: string;
  /** Whose days ranges are of. */
  zone: Zone;
  page: (scope: Scope, cursor: string | null) => Promise<Read<ThreadPage>>;
}

const LEAVES_AFTER = 5_000;
/** So long a highlight fades. */
const FLASH = 1_400;
/** At most so often the server is asked whether what has changed belongs here. */
const ASK_EVERY = 2_000;
/** Lists that are kept to come back to. */
const KEPT = 20;
const MINUTE = 60_000;

/** A list as it was left. */
interface Left {
  order: readonly string[];
  found: ReadonlyMap<string, SearchMatch>;
  listed: ReadonlySet<string>;
  cursor: string | null;
  edge: ThreadRow | null;
  newNumber: NewNumber | null;
}

type NewNumber = NonNullable<ThreadPage["new_number"]>;

/** The list of conversations in one scope: its order, its paging, and what happens live. */
export class List {
  readonly scope = new Cell<Scope>(defaultScope);
  readonly order = new Cell<readonly string[]>([]);
  /** `first`: nothing is here yet. `switching`: what is here is of another scope, or a guess. */
  readonly state = new Cell<"first" | "switching" | "ready">("first");
  readonly problem = new Cell<string | null>(null);
  readonly more = new Cell<"none" | "some" | "loading" | "failed">("none");
  /** Rows that no longer belong here, and why; they go with the next action or after a while. */
  readonly leaving = new Cell<ReadonlyMap<string, string>>(new Map());
  /** Conversations that rose while the reader was further down. */
  readonly risen = new Cell<ReadonlySet<string>>(new Set());
  /** Why each was found, while something is searched for. */
  readonly found = new Cell<ReadonlyMap<string, SearchMatch>>(new Map());
  /** Whether the organisation has no conversation at all, as far as the reader may see. */
  readonly nothing = new Cell(false);
  /** The number that was typed, if a search found nothing and it can be written to. */
  readonly newNumber = new Cell<NewNumber | null>(null);
  /** Counts up each time a row is to be highlighted. */
  readonly flashes = new CellMap<string, number>(() => 0);
  readonly gate: RiseGate;

  readonly #flashedAt = new Map<string, number>();
  readonly #left = new Map<string, Left>();
  /** What the server has listed in this scope: of some rows only it can know. */
  #listed = new Set<string>();
  #bounds: { scope: Scope; minute: number; bounds: Bounds } | null = null;
  #peeking: (() => void) | null = null;
  #cursor: string | null = null;
  /** The last row of the pages loaded so far, as it was read: what comes before it is in them. */
  #edge: ThreadRow | null = null;
  #asked = 0;
  /** What rises as soon as nothing is in the way, and whether it is news. */
  #rising = new Map<string, boolean>();
  #scrolled = false;
  #cancelLeaving: (() => void) | null = null;

  get zone(): Zone {
    return this.ports.zone;
  }

  constructor(private readonly ports: ListPorts) {
    this.gate = new RiseGate(ports.clock);
  }

  /**
   * Shows another scope: at once from what is here, then from the server. `again`: as it was left,
   * if it is still known.
   */
  async show(scope: Scope, again = false): Promise<void> {
    const before = this.scope.get();
    const changed = !sameScope(before, scope);
    if (changed && this.state.get() === "ready") this.#leaveAs(before);
    this.#dropLeaving();
    this.scope.set(scope);
    if (!changed || this.state.get() === "first") return this.load();
    this.#asked += 1;
    this.#peeking?.();
    this.#peeking = null;
    this.#rising.clear();
    this.problem.set(null);
    const left = this.#left.get(scopeKey(scope));
    if (again && left) {
      this.#return(left);
      return;
    }
    this.#listed = new Set();
    if (scope.q === undefined) {
      this.found.set(new Map());
      const guess = this.ports.rows
        .all()
        .filter((row) => this.#matches(row))
        .sort(byActivity)
        .map((row) => row.id);
      if (guess.length > 0) this.order.set(guess);
    }
    // How far was paged in another list says nothing of this one.
    this.#cursor = null;
    this.more.set("none");
    this.state.set("switching");
    await this.load();
  }

  /** Lists that were left are no longer what the server would give. */
  forget(): void {
    this.#left.clear();
  }

  #leaveAs(scope: Scope): void {
    const key = scopeKey(scope);
    this.#left.delete(key);
    this.#left.set(key, {
      order: this.order.get(),
      found: this.found.get(),
      listed: this.#listed,
      cursor: this.#cursor,
      edge: this.#edge,
      newNumber: this.newNumber.get(),
    });
    for (const old of this.#left.keys()) {
      if (this.#left.size <= KEPT) break;
      this.#left.delete(old);
    }
  }

  /** Rows have changed meanwhile: the stream has told what became of them. */
  #return(left: Left): void {
    this.#listed = new Set(left.listed);
    this.#cursor = left.cursor;
    this.#edge = left.edge;
    this.found.set(left.found);
    this.newNumber.set(left.newNumber);
    this.more.set(left.cursor === null ? "none" : "some");
    this.risen.set(new Set());
    this.state.set("ready");
    this.order.set(left.order);
    if (this.scope.get().q !== undefined) return;
    this.order.set(left.order.filter((id) => this.#belongs(id)));
    this.#rearrange();
  }

  /** Reads the first page again. What is shown stays until the answer. */
  async load(): Promise<void> {
    const asked = ++this.#asked;
    const scope = this.scope.get();
    try {
      const { data, position } = await this.ports.page(scope, null);
      if (asked !== this.#asked) return;
      const none = data.items.length === 0 && (await this.#isEmpty(scope));
      if (asked !== this.#asked) return;
      this.nothing.set(none);
      this.found.set(new Map());
      this.#take(data, position);
      this.problem.set(null);
      this.newNumber.set(data.new_number ?? null);
      this.#join([], data, position);
      this.leaving.set(new Map());
      this.risen.set(new Set());
      this.state.set("ready");
    } catch (error) {
      if (asked !== this.#asked) return;
      this.problem.set(reasonOf(error));
    }
  }

  /** Whether there is nothing outside of a scope in which there is nothing either. */
  async #isEmpty(scope: Scope): Promise<boolean> {
    const everything: Scope = { status: "all", filter: "all" };
    if (this.ports.rows.all().length > 0) return false;
    if (sameScope(scope, everything)) return true;
    return (await this.ports.page(everything, null)).data.items.length === 0;
  }

  async loadMore(): Promise<void> {
    if (this.#cursor === null || this.more.get() === "loading") return;
    const asked = this.#asked;
    const cursor = this.#cursor;
    const current = () => asked === this.#asked && cursor === this.#cursor;
    this.more.set("loading");
    try {
      const { data, position } = await this.ports.page(this.scope.get(), cursor);
      if (!current()) return;
      this.#take(data, position);
      this.#join(this.order.get(), data, position);
    } catch {
      if (current()) this.more.set("failed");
    }
  }

  /** Puts a page to what is listed, with what the stream brought while it was on its way. What was
   * found stays in the server's order. */
  #join(listed: readonly string[], { items, next_cursor }: ThreadPage, position: number): void {
    this.#cursor = next_cursor ?? null;
    this.#edge = items.at(-1) ?? null;
    this.more.set(this.#cursor === null ? "none" : "some");
    if (this.scope.get().q !== undefined) {
      this.order.set([...new Set([...listed, ...items.map((row) => row.id)])]);
      return;
    }
    const arrived = this.ports.rows.since(position).filter((row) => this.#within(row));
    const joining = [...items, ...arrived].map((row) => row.id).filter((id) => this.#belongs(id));
    this.order.set(this.#sorted([...new Set([...listed, ...joining])]));
  }

  /**
   * A row is not what it was. `news` is for what somebody else did: that is highlighted; `by` is who
   * closed or assigned it, if that is known.
   */
  changed(before: ThreadRow | null, row: ThreadRow, news: boolean, by: string | null = null): void {
    const order = this.order.get();
    const here = order.includes(row.id);
    const scope = this.scope.get();
    const rises = before === null || Date.parse(row.sort_at) > Date.parse(before.sort_at);
    if (news && here && (rises || told(before, row))) this.#flash(row.id);
    // What was found is not put in order by time, and stays found.
    if (scope.q !== undefined) return;
    const verdict = this.#verdict(row);
    const belongs = verdict ?? this.#listed.has(row.id);
    if (belongs) this.#stay(row.id);
    if (here && !belongs) this.#leave(row.id, reasonFor(row, scope, this.ports.me, by));
    if (belongs && !here && this.#within(row)) this.#rise(row.id, news);
    else if (here && rises && before !== null) this.#rise(row.id, news);
    else if (verdict === null && !here && (scope.own?.length ?? 0) > 0) this.#peek();
  }

  /** Asks the server what is new at the top of a list of which only it knows what belongs there. */
  #peek(): void {
    this.#peeking ??= this.ports.clock.after(ASK_EVERY, () => {
      this.#peeking = null;
      const asked = this.#asked;
      this.ports
        .page(this.scope.get(), null)
        .then(({ data, position }) => {
          if (asked !== this.#asked) return;
          for (const row of data.items) {
            this.#listed.add(row.id);
            this.ports.rows.put(row, position);
          }
          const here = new Set(this.order.get());
          for (const row of data.items) if (!here.has(row.id)) this.#rise(row.id, true);
        })
        // The next change asks again.
        .catch(() => undefined);
    });
  }

  /** The reader looks at the top, or further down. */
  setScrolled(scrolled: boolean): void {
    this.#scrolled = scrolled;
    if (!scrolled && this.risen.get().size > 0) this.risen.set(new Set());
  }

  /** A row's highlights that are over; one that still goes on is seen on a row drawn just now. */
  highlightsOver(id: string): number {
    const count = this.flashes.at(id).get();
    const since = this.ports.clock.now() - (this.#flashedAt.get(id) ?? -Infinity);
    return since < FLASH ? count - 1 : count;
  }

  /** The reader did something in the list: rows that were only kept for their place go. */
  acted(): void {
    this.#dropLeaving();
  }

  #flash(id: string): void {
    this.#flashedAt.set(id, this.ports.clock.now());
    this.flashes.at(id).update((count) => count + 1);
  }

  /** Whether a row belongs here; `null` if only the server knows. */
  #verdict(row: ThreadRow): boolean | null {
    const scope = this.scope.get();
    const now = this.ports.clock.now();
    const minute = Math.floor(now / MINUTE);
    if (this.#bounds?.scope !== scope || this.#bounds.minute !== minute)
      this.#bounds = { scope, minute, bounds: boundsOf(scope, now, this.ports.zone) };
    return matches(row, scope, this.ports.me, now, this.#bounds.bounds);
  }

  #matches(row: ThreadRow): boolean {
    return this.#verdict(row) ?? this.#listed.has(row.id);
  }

  #belongs(id: string): boolean {
    const row = this.ports.rows.get(id);
    return row !== null && this.#matches(row);
  }

  #take(page: ThreadPage, position: number): void {
    const found = new Map(this.found.get());
    for (const { match, ...row } of page.items) {
      this.ports.rows.put(row, position);
      this.#listed.add(row.id);
      if (match) found.set(row.id, match);
    }
    this.found.set(found);
  }

  #sorted(ids: readonly string[]): string[] {
    return ids
      .flatMap((id) => this.ports.rows.get(id) ?? [])
      .sort(byActivity)
      .map((row) => row.id);
  }

  /** Whether a row falls into the pages loaded so far. */
  #within(row: ThreadRow): boolean {
    return this.#cursor === null || this.#edge === null || byActivity(row, this.#edge) < 0;
  }

  /** A row comes to its place as soon as nothing is in the way, with whatever else waits for that. */
  #rise(id: string, news: boolean): void {
    this.#rising.set(id, news || this.#rising.get(id) === true);
    this.gate.whenQuiet(() => {
      this.#rearrange();
    });
  }

  #rearrange(): void {
    const news = [...this.#rising].filter(([, told]) => told).map(([id]) => id);
    this.#rising.clear();
    // Meanwhile something may be searched for.
    if (this.scope.get().q !== undefined) return;
    const order = this.order.get();
    const here = new Set(order);
    const joining = this.ports.rows
      .all()
      .filter((row) => !here.has(row.id) && this.#matches(row) && this.#within(row))
      .map((row) => row.id);
    for (const id of news) if (joining.includes(id)) this.#flash(id);
    if (this.#scrolled && news.length > 0) this.risen.update((ids) => new Set([...ids, ...news]));
    this.order.set(this.#sorted([...order, ...joining]));
  }

  #leave(id: string, reason: string): void {
    this.leaving.update((rows) => new Map(rows).set(id, reason));
    this.#cancelLeaving?.();
    this.#cancelLeaving = this.ports.clock.after(LEAVES_AFTER, () => {
      this.#dropLeaving();
    });
  }

  #stay(id: string): void {
    if (!this.leaving.get().has(id)) return;
    this.leaving.update((rows) => new Map([...rows].filter(([each]) => each !== id)));
  }

  #dropLeaving(): void {
    this.#cancelLeaving?.();
    this.#cancelLeaving = null;
    const leaving = this.leaving.get();
    if (leaving.size === 0) return;
    this.leaving.set(new Map());
    this.order.set(this.order.get().filter((id) => !leaving.has(id)));
  }
}

function told(before: ThreadRow | null, row: ThreadRow): boolean {
  return (
    before?.status !== row.status ||
    before.assignee?.id !== row.assignee?.id ||
    before.needs_response !== row.needs_response
  );
}

/** Why a row no longer belongs into a scope, in a few words for its second line. */
function reasonFor(row: ThreadRow, scope: Scope, me: string, by: string | null): string {
  if (row.preview === null) return t.list.left.moved;
  if (scope.status === "open" && row.status === "closed")
    return by === null ? t.list.left.closed : t.list.left.closedBy(by);
  if (scope.status === "closed" && row.status !== "closed")
    return by === null ? t.list.left.reopened : t.list.left.reopenedBy(by);
  if (scope.status === "unread" && row.unread === 0) return t.list.left.read;
  if (scope.filter === "unread" && row.unread === 0) return t.list.left.read;
  if (scope.filter === "needs_response" || scope.filter === "late") return t.list.left.answered;
  if (row.assignee === null) return t.list.left.unassigned;
  return row.assignee.id === me ? t.list.left.yours : t.list.left.assigned(row.assignee.name);
}
