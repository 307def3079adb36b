import { Cell } from "../core/cell";
import { reasonOf, Refused } from "../core/problem";

/** How far a field is: `failed` says why, and what was typed is still in the field. */
export type SaveState = { phase: "idle" | "saving" | "saved" } | { phase: "failed"; why: string };

const idle: SaveState = { phase: "idle" };
const alike = (one: unknown, other: unknown) => JSON.stringify(one) === JSON.stringify(other);

/** Why it failed, in words that stand beside the field it is about. */
function whyOf(error: unknown): string {
  const faults = error instanceof Refused ? (error.problem?.errors ?? []) : [];
  return faults.length > 0 ? faults.map(({ message }) => message).join("; ") : reasonOf(error);
}

/**
 * One field that saves itself. One request at a time, and the last that was typed is what holds in
 * the end; what could not be saved stays in the field until it can, or is changed.
 */
export class Saver<T> {
  /** What the control shows. */
  readonly value: Cell<T>;
  readonly state = new Cell<SaveState>(idle);
  #held: T;
  #working = false;
  /** What was heard while a change was under way. */
  #heard: { held: T } | null = null;

  /**
   * `store` saves a value instead of the one held, and answers what holds then; `check` says what is wrong with one that
   * need not be sent to know.
   */
  constructor(
    held: T,
    private readonly store: (value: T, held: T) => Promise<T>,
    private readonly check: (value: T) => string | null = () => null,
  ) {
    this.#held = held;
    this.value = new Cell(held);
  }

  /** Changes what is in the field; nothing is saved yet. */
  type(value: T): void {
    this.value.set(value);
    if (this.state.get().phase === "saved") this.state.set(idle);
  }

  /** Changes what is in the field, and saves it. */
  put(value: T): Promise<void> {
    this.type(value);
    return this.save();
  }

  /** Saves what is in the field; with nothing to save it asks nobody. */
  async save(): Promise<void> {
    if (this.#working) return;
    this.#working = true;
    try {
      while (!alike(this.value.get(), this.#held) || this.state.get().phase === "failed") {
        const value = this.value.get();
        const wrong = this.check(value);
        if (wrong !== null) {
          this.state.set({ phase: "failed", why: wrong });
          return;
        }
        this.state.set({ phase: "saving" });
        this.#held = await this.store(value, this.#held);
        if (alike(this.value.get(), value)) this.value.set(this.#held);
        this.state.set({ phase: "saved" });
      }
    } catch (error) {
      this.state.set({ phase: "failed", why: whyOf(error) });
      if (this.#heard) this.#held = this.#heard.held;
    } finally {
      this.#heard = null;
      this.#working = false;
    }
  }

  /** Back to what holds. */
  discard(): void {
    this.value.set(this.#held);
    this.state.set(idle);
  }

  /** Told what holds now. What somebody is typing, or could not save, stays in the field. */
  learn(held: T): void {
    if (this.#working) {
      this.#heard = { held };
      return;
    }
    const touched = !alike(this.value.get(), this.#held);
    this.#held = held;
    if (!touched) this.value.set(held);
  }
}
