import type { Clock } from "./clock";

const QUIET = 800;
const AT_MOST = 2_000;

/**
 * Decides when rows of the list may change places, so that nothing moves under a pointer.
 *
 * Waits while a button is held, and until the pointer or the keys have rested in the list; never
 * longer than two seconds.
 */
export class RiseGate {
  #held = false;
  #touchedAt = -Infinity;
  #waitingSince: number | null = null;
  #cancel: (() => void) | null = null;
  #run: (() => void) | null = null;

  constructor(private readonly clock: Clock) {}

  hold(): void {
    this.#held = true;
  }

  release(): void {
    this.#held = false;
    this.#touchedAt = this.clock.now();
  }

  /** The pointer moved inside the list, or a key went to it. */
  touch(): void {
    this.#touchedAt = this.clock.now();
  }

  /** The pointer left: nothing is under it any more. */
  leave(): void {
    this.#held = false;
    this.#touchedAt = -Infinity;
    this.#check();
  }

  /** Runs now if nothing is in the way, else as soon as nothing is. */
  whenQuiet(run: () => void): void {
    this.#run = run;
    this.#waitingSince ??= this.clock.now();
    this.#check();
  }

  #check(): void {
    const run = this.#run;
    if (!run || this.#waitingSince === null) return;
    const now = this.clock.now();
    const patience = this.#waitingSince + AT_MOST - now;
    const quiet = this.#held ? patience : this.#touchedAt + QUIET - now;
    const wait = Math.min(patience, quiet);
    this.#cancel?.();
    this.#cancel = null;
    if (wait > 0) {
      this.#cancel = this.clock.after(wait, () => {
        this.#check();
      });
      return;
    }
    this.#run = null;
    this.#waitingSince = null;
    run();
  }
}
