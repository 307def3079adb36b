import { Cell } from "./cell";
import type { Clock } from "./clock";

export interface Toast {
  readonly id: number;
  readonly text: string;
  /** A second line. */
  readonly detail: string;
  readonly tag: string | null;
  readonly action: { readonly label: string; readonly run: () => void } | null;
}

interface More {
  readonly detail?: string;
  /** Of one tag there is one notice: the newest. */
  readonly tag?: string;
}

const SHOWN_FOR = 6_000;
const AT_MOST = 3;

/** Short notices at the edge of the page; each goes by itself, unless somebody is at it. */
export class Toasts {
  readonly shown = new Cell<readonly Toast[]>([]);
  #next = 1;
  readonly #timers = new Map<number, () => void>();

  constructor(private readonly clock: Clock) {}

  add(text: string, action: Toast["action"] = null, { detail = "", tag }: More = {}): void {
    const toast = { id: this.#next++, text, detail, action, tag: tag ?? null };
    for (const old of this.shown.get())
      if (tag !== undefined && old.tag === tag) this.remove(old.id);
    // What has a tag comes of itself: it makes room before what answers something a person did.
    const shown = this.shown.get().toSorted((one, other) => +!one.tag - +!other.tag);
    for (const old of shown.slice(0, Math.max(0, shown.length - AT_MOST + 1))) this.remove(old.id);
    this.shown.set([...this.shown.get(), toast]);
    this.resume(toast.id);
  }

  remove(id: number): void {
    this.hold(id);
    this.shown.set(this.shown.get().filter((toast) => toast.id !== id));
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
