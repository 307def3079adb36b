import { Cell, CellMap } from "./cell";
import type { Clock } from "./clock";
import { reasonOf } from "./problem";
import { RiseGate } from "./rise";
import type { Rows } from "./rows";
import { byActivity, defaultScope, matches } from "./scope";
import { t } from "./strings";
import type { Read } from "./http";
import type { Scope, ThreadRow } from "./wire";

export interface ListPorts {
  clock: Clock;
  rows: Rows;
  /** The reader's member id. */
  me: string;
  page: (
    scope: Scope,
    cursor: string | null,
  ) => Promise<Read<{ items: ThreadRow[]; next_cursor: string | null }>>;
}

const LEAVES_AFTER = 5_000;
/** So long a highlight fades. */
const FLASH = 1_400;

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
  /** Counts up each time a row is to be highlighted. */
  readonly flashes = new CellMap<string, number>(() => 0);
  readonly gate: RiseGate;

  readonly #flashedAt = new Map<string, number>();
  #cursor: string | null = null;
  #asked = 0;
  #scrolled = false;
  #cancelLeaving: (() => void) | null = null;

  constructor(private readonly ports: ListPorts) {
    this.gate = new RiseGate(ports.clock);
  }

  /** Shows another scope: at once from what is here, then from the server. */
  async show(scope: Scope): Promise<void> {
    const before = this.scope.get();
    this.scope.set(scope);
    this.#dropLeaving();
    const changed = before.status !== scope.status || before.filter !== scope.filter;
    if (changed && this.state.get() !== "first") {
      const guess = this.ports.rows
        .all()
        .filter((row) => matches(row, scope, this.ports.me))
        .sort(byActivity)
        .map((row) => row.id);
      if (guess.length > 0) this.order.set(guess);
      this.state.set("switching");
    }
    await this.load();
  }

  /** Reads the first page again. What is shown stays until the answer. */
  async load(): Promise<void> {
    const asked = ++this.#asked;
    const scope = this.scope.get();
    try {
      const { data, position } = await this.ports.page(scope, null);
      if (asked !== this.#asked) return;
      this.#take(data.items, position);
      this.problem.set(null);
      this.#cursor = data.next_cursor ?? null;
      this.more.set(this.#cursor === null ? "none" : "some");
      const listed = data.items.map((row) => row.id).filter((id) => this.#belongs(id));
      this.order.set(this.#sorted(listed));
      // What the stream brought while the page was on its way is newer than the page.
      const arrived = this.ports.rows
        .since(position)
        .filter((row) => !listed.includes(row.id) && this.#belongs(row.id) && this.#within(row))
        .map((row) => row.id);
      if (arrived.length > 0) this.order.set(this.#sorted([...listed, ...arrived]));
      this.leaving.set(new Map());
      this.risen.set(new Set());
      this.state.set("ready");
    } catch (error) {
      if (asked !== this.#asked) return;
      this.problem.set(reasonOf(error));
    }
  }

  async loadMore(): Promise<void> {
    if (this.#cursor === null || this.more.get() === "loading") return;
    const asked = this.#asked;
    this.more.set("loading");
    try {
      const { data, position } = await this.ports.page(this.scope.get(), this.#cursor);
      if (asked !== this.#asked) return;
      this.#take(data.items, position);
      this.#cursor = data.next_cursor ?? null;
      this.more.set(this.#cursor === null ? "none" : "some");
      const here = new Set(this.order.get());
      const fresh = data.items.map((row) => row.id).filter((id) => !here.has(id));
      this.order.set([...this.order.get(), ...fresh]);
    } catch {
      if (asked === this.#asked) this.more.set("failed");
    }
  }

  /**
   * A row is not what it was. `news` is for what somebody else did: that is highlighted.
   */
  changed(before: ThreadRow | null, row: ThreadRow, news: boolean): void {
    const order = this.order.get();
    const here = order.includes(row.id);
    const belongs = matches(row, this.scope.get(), this.ports.me);
    if (belongs) this.#stay(row.id);
    if (here && !belongs) this.#leave(row.id, reasonFor(row, this.scope.get(), this.ports.me));
    const rises = before === null || Date.parse(row.sort_at) > Date.parse(before.sort_at);
    if (news && here && (rises || told(before, row))) this.#flash(row.id);
    if (belongs && !here && this.#within(row)) {
      this.gate.whenQuiet(() => {
        this.#rearrange(row.id, news);
      });
    } else if (here && rises && before !== null) {
      this.gate.whenQuiet(() => {
        this.#rearrange(row.id, news);
      });
    }
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

  #belongs(id: string): boolean {
    const row = this.ports.rows.get(id);
    return row !== null && matches(row, this.scope.get(), this.ports.me);
  }

  #take(items: readonly ThreadRow[], position: number): void {
    for (const row of items) this.ports.rows.put(row, position);
  }

  #sorted(ids: readonly string[]): string[] {
    return ids
      .flatMap((id) => this.ports.rows.get(id) ?? [])
      .sort(byActivity)
      .map((row) => row.id);
  }

  /** Whether a row falls into the pages loaded so far. */
  #within(row: ThreadRow): boolean {
    if (this.#cursor === null) return true;
    const last = this.order.get().at(-1);
    const lastRow = last === undefined ? null : this.ports.rows.get(last);
    return lastRow === null || byActivity(row, lastRow) < 0;
  }

  #rearrange(risen: string, news: boolean): void {
    const order = this.order.get();
    const { me } = this.ports;
    const scope = this.scope.get();
    const joining = this.ports.rows
      .all()
      .filter((row) => !order.includes(row.id) && matches(row, scope, me) && this.#within(row))
      .map((row) => row.id);
    if (news) for (const id of joining) this.#flash(id);
    if (news && this.#scrolled) this.risen.update((ids) => new Set([...ids, risen]));
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
function reasonFor(row: ThreadRow, scope: Scope, me: string): string {
  if (scope.status === "open" && row.status === "closed") return t.list.left.closed;
  if (scope.status === "closed" && row.status !== "closed") return t.list.left.reopened;
  if (scope.status === "unread" && row.unread === 0) return t.list.left.read;
  if (scope.filter === "unread" && row.unread === 0) return t.list.left.read;
  if (scope.filter === "needs_response") return t.list.left.answered;
  if (row.assignee === null) return t.list.left.unassigned;
  return row.assignee.id === me ? t.list.left.yours : t.list.left.assigned(row.assignee.name);
}
