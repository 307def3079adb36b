import { Cell } from "./cell";
import type { Clock } from "./clock";

interface Action {
  readonly label: string;
  readonly run: () => void;
}

export interface Toast {
  readonly id: number;
  readonly text: string;
  /** A second line. */
  readonly detail: string;
  readonly tag: string | null;
  readonly action: Action | null;
  readonly crowd: Crowd | null;
  /** How many were added under its tag, or to its crowd. */
  readonly count: number;
}

/** Notices of one kind that come by themselves: of too many at once, one says how many they are. */
export interface Crowd {
  /** The tag of the one that says so. */
  readonly tag: string;
  readonly text: (count: number) => string;
  readonly action: Action;
}

interface More {
  readonly detail?: string;
  /** Of one tag there is one notice: the newest, in the place of the one before. */
  readonly tag?: string;
  readonly crowd?: Crowd;
}

const SHOWN_FOR = 6_000;
const AT_MOST = 3;
/** How often a crowd says how many they are, so that it can be read and read out. */
const COUNTED_EVERY = 1_000;

/** Short notices at the edge of the page; each goes by itself, unless somebody is at it. */
export class Toasts {
  readonly shown = new Cell<readonly Toast[]>([]);
  #next = 1;
  readonly #timers = new Map<number, () => void>();
  /** How many of a crowd, by its tag, have not been counted yet. */
  readonly #uncounted = new Map<string, number>();

  constructor(private readonly clock: Clock) {}

  add(text: string, action: Action | null = null, { detail = "", tag, crowd }: More = {}): void {
    const toast = {
      id: this.#next++,
      text,
      detail,
      action,
      tag: tag ?? null,
      crowd: crowd ?? null,
    };
    const same = tag === undefined ? undefined : this.#tagged(tag);
    if (same) this.#replace(same, { ...toast, id: same.id, count: same.count + 1 });
    else if (!crowd || !this.#joins(crowd)) this.#show({ ...toast, count: 1 });
  }

  #tagged(tag: string): Toast | undefined {
    return this.shown.get().find((toast) => toast.tag === tag);
  }

  #show(toast: Toast): void {
    // What has a tag comes of itself: it makes room before what answers something a person did.
    const shown = this.shown.get().toSorted((one, other) => +!one.tag - +!other.tag);
    for (const old of shown.slice(0, Math.max(0, shown.length - AT_MOST + 1))) this.remove(old.id);
    this.shown.set([...this.shown.get(), toast]);
    this.resume(toast.id);
  }

  #replace(old: Toast, toast: Toast): void {
    this.shown.set(this.shown.get().map((one) => (one === old ? toast : one)));
    if (this.#timers.has(toast.id)) this.resume(toast.id);
  }

  /** Whether one more of a crowd is told by the one that counts them, which takes the place of the
   * newest. One that somebody is at stays what it is. */
  #joins(crowd: Crowd): boolean {
    const { tag, text, action } = crowd;
    if (this.#tagged(tag)) {
      if (!this.#uncounted.has(tag))
        this.clock.after(COUNTED_EVERY, () => {
          this.#count(crowd);
        });
      this.#uncounted.set(tag, (this.#uncounted.get(tag) ?? 0) + 1);
      return true;
    }
    const own = this.shown
      .get()
      .filter((one) => one.crowd?.tag === tag && this.#timers.has(one.id));
    const last = own.at(-1);
    if (!last || this.shown.get().length < AT_MOST) return false;
    const count = own.reduce((sum, one) => sum + one.count, 1);
    for (const one of own.slice(0, -1)) this.remove(one.id);
    this.#replace(last, {
      ...last,
      text: text(count),
      detail: "",
      tag,
      action,
      crowd: null,
      count,
    });
    return true;
  }

  #count({ tag, text }: Crowd): void {
    const toast = this.#tagged(tag);
    const count = (toast?.count ?? 0) + (this.#uncounted.get(tag) ?? 0);
    this.#uncounted.delete(tag);
    if (toast) this.#replace(toast, { ...toast, count, text: text(count) });
  }

  remove(id: number): void {
    this.hold(id);
    const gone = this.shown.get().find((toast) => toast.id === id);
    if (gone?.tag) this.#uncounted.delete(gone.tag);
    this.shown.set(this.shown.get().filter((toast) => toast !== gone));
  }

  /** Pointed at or focused: it stays. */
  hold(id: number): void {
    this.#timers.get(id)?.();
    this.#timers.delete(id);
  }

  resume(id: number): void {
    this.hold(id);
    this.#timers.set(
      id,
      this.clock.after(SHOWN_FOR, () => {
        this.remove(id);
      }),
    );
  }
}
