import { Cell } from "../core/cell";
import { reasonOf, Refused } from "../core/problem";
import type { Approval, Decision } from "../core/wire";
import type { Asked } from "./api";

export interface Waiting {
  readonly phase: "loading" | "ready" | "failed";
  readonly items: readonly Approval[];
  readonly next: string | null;
  /** Why it failed. */
  readonly why: string | null;
}

export interface Open {
  readonly id: string;
  readonly phase: "loading" | "ready" | "failed";
  readonly approval: Approval | null;
  readonly why: string | null;
  readonly doing: Act | null;
  /** Why what was tried did not work. */
  readonly fault: string | null;
}

export type Act = "approve" | "reject" | "withdraw";

/** What came of an attempt: it is done, somebody was faster, or it did not work. */
export type Outcome = "done" | Decision | null;

/** How long ago something was, at a moment in milliseconds. */
export function secondsSince(at: string | null, now: number): number {
  return at === null ? 0 : Math.max(0, Math.round((now - Date.parse(at)) / 1_000));
}

/** What waits for approval, and the one message that is looked at. */
export class Queue {
  readonly waiting = new Cell<Waiting>({ phase: "loading", items: [], next: null, why: null });
  readonly open = new Cell<Open | null>(null);

  readonly #positions = new Map<string, number>();
  #asked = 0;

  constructor(
    private readonly org: string,
    private readonly http: Asked,
  ) {}

  /** Reads the queue anew; what is shown stays until then. */
  async load(): Promise<void> {
    await this.#page(null);
    const open = this.open.get();
    if (open) await this.#read(open.id);
  }

  async more(): Promise<void> {
    const { next, phase } = this.waiting.get();
    if (next !== null && phase !== "loading") await this.#page(next);
  }

  async #page(cursor: string | null): Promise<void> {
    const asked = ++this.#asked;
    this.waiting.update((list) => ({ ...list, phase: "loading", why: null }));
    try {
      const { data, position } = await this.http.approvals(this.org, cursor);
      if (asked !== this.#asked) return;
      const items = data.items.filter((item) => (this.#positions.get(item.id) ?? -1) <= position);
      const kept = this.waiting
        .get()
        .items.filter((item) => cursor !== null || (this.#positions.get(item.id) ?? -1) > position);
      this.#show([...kept, ...items], data.next_cursor ?? null);
    } catch (error) {
      if (asked !== this.#asked) return;
      const why = reasonOf(error);
      this.waiting.update((list) => ({ ...list, phase: "failed", why }));
      if (!(error instanceof Refused) || error.status !== 403) return;
      // The right was withdrawn: what was shown by it goes.
      this.waiting.set({ phase: "failed", items: [], next: null, why });
      this.open.update((open) => open && { ...open, phase: "failed", approval: null, why });
    }
  }

  #show(items: readonly Approval[], next: string | null): void {
    const byId = new Map(items.map((item) => [item.id, item]));
    const ordered = [...byId.values()].sort(
      (one, other) =>
        Date.parse(one.waiting_since) - Date.parse(other.waiting_since) ||
        one.id.localeCompare(other.id),
    );
    this.waiting.set({ phase: "ready", items: ordered, next, why: null });
  }

  /** Takes a message as the stream shows it. */
  take(approval: Approval, position: number): void {
    if (position < (this.#positions.get(approval.id) ?? -1)) return;
    this.#positions.set(approval.id, position);
    this.#learn(approval);
  }

  #learn(approval: Approval): void {
    const { items, next } = this.waiting.get();
    const others = items.filter((item) => item.id !== approval.id);
    // What comes after the pages that are here comes with its own.
    const shown = others.length < items.length || next === null;
    if (approval.state !== "waiting") this.waiting.update((list) => ({ ...list, items: others }));
    else if (shown) {
      const { phase } = this.waiting.get();
      this.#show([...others, approval], next);
      this.waiting.update((list) => ({ ...list, phase }));
    }
    this.#change(approval.id, { phase: "ready", approval });
  }

  /** Looks at one message, or at none. */
  async choose(id: string | null): Promise<void> {
    if (id === this.open.get()?.id) return;
    if (id === null) {
      this.open.set(null);
      return;
    }
    const approval = this.waiting.get().items.find((item) => item.id === id) ?? null;
    const phase = approval ? "ready" : "loading";
    this.open.set({ id, phase, approval, why: null, doing: null, fault: null });
    await this.#read(id);
  }

  async #read(id: string): Promise<void> {
    try {
      this.#change(id, { phase: "ready", approval: await this.http.approval(this.org, id) });
    } catch (error) {
      const known = (this.open.get()?.approval ?? null) !== null && !(error instanceof Refused);
      if (!known) this.#change(id, { phase: "failed", approval: null, why: reasonOf(error) });
    }
  }

  #change(id: string, change: Partial<Open>): void {
    this.open.update((open) => (open?.id === id ? { ...open, ...change } : open));
  }

  /** The message after one, or the last before it; `null` when it is the only one. */
  after(id: string): string | null {
    const { items } = this.waiting.get();
    const at = items.findIndex((item) => item.id === id);
    return (items[at + 1] ?? items[at - 1])?.id ?? null;
  }

  approve(id: string, words: { text?: string; subject?: string }): Promise<Outcome> {
    return this.#do(id, "approve", () => this.http.approve(this.org, id, words));
  }

  reject(id: string, reason: string): Promise<Outcome> {
    return this.#do(id, "reject", () => this.http.reject(this.org, id, reason));
  }

  withdraw(id: string): Promise<Outcome> {
    return this.#do(id, "withdraw", async () => {
      await this.http.withdraw(this.org, id);
      return this.http.approval(this.org, id);
    });
  }

  async #do(id: string, act: Act, send: () => Promise<Approval>): Promise<Outcome> {
    if ((this.open.get()?.doing ?? null) !== null) return null;
    this.#change(id, { doing: act, fault: null });
    try {
      this.#learn(await send());
      this.#change(id, { doing: null });
      return "done";
    } catch (error) {
      const decision = error instanceof Refused ? error.problem?.decision : null;
      this.#change(id, { doing: null, fault: decision ? null : reasonOf(error) });
      // What forbids it stands with the message now.
      await this.#read(id);
      if (!decision) return null;
      this.waiting.update((list) => ({
        ...list,
        items: list.items.filter((item) => item.id !== id),
      }));
      return decision;
    }
  }
}
