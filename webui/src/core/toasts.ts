import { Cell } from "./cell";
import type { Clock } from "./clock";

export interface Toast {
  readonly id: number;
  readonly text: string;
  readonly action: { readonly label: string; readonly run: () => void } | null;
}

const SHOWN_FOR = 6_000;
const AT_MOST = 3;

/** Short notices at the edge of the page; each goes by itself, unless somebody is at it. */
export class Toasts {
  readonly shown = new Cell<readonly Toast[]>([]);
  #next = 1;
  readonly #timers = new Map<number, () => void>();

  constructor(private readonly clock: Clock) {}

  add(text: string, action: Toast["action"] = null): void {
    const toast = { id: this.#next++, text, action };
    const shown = this.shown.get();
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
