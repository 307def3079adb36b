import { Cell } from "./cell";
import type { Clock } from "./clock";
import type { Stream } from "./stream";
import type { PersonThere } from "./wire";

/** What is not said again within this time is over for the others, with some to spare. */
const AGAIN = 20_000;
const TYPING_AGAIN = 3_000;

export interface PresencePorts {
  clock: Clock;
  /** Whether a person can see the page: who cannot is not there. */
  visible: Cell<boolean>;
  stream: Pick<Stream, "state" | "there" | "sayAt">;
}

/** Says that this person looks at a conversation, or types in it, and knows who else does. */
export class Presence {
  readonly others = new Cell<readonly PersonThere[]>([]);

  #typedAt = -Infinity;
  #cancel: (() => void) | null = null;

  constructor(
    private readonly thread: string,
    private readonly ports: PresencePorts,
  ) {}

  /** The conversation is on screen, until the answer is called. */
  start(): () => void {
    const { visible, stream } = this.ports;
    const beat = () => {
      this.#beat();
    };
    const ends = [
      visible.subscribe(beat),
      stream.state.subscribe(beat),
      stream.there.subscribe(() => {
        const told = stream.there.get();
        if (told?.thread_id === this.thread) this.others.set(told.people);
      }),
    ];
    beat();
    return () => {
      for (const end of ends) end();
      this.#cancel?.();
      stream.sayAt(null);
    };
  }

  /** Something was typed to the customer. */
  typed(): void {
    const now = this.ports.clock.now();
    if (now - this.#typedAt < TYPING_AGAIN) return;
    this.#typedAt = now;
    this.ports.stream.sayAt(this.thread, true);
  }

  /** The answer has gone. */
  stoppedTyping(): void {
    if (this.#typedAt === -Infinity) return;
    this.#typedAt = -Infinity;
    this.#beat();
  }

  #beat(): void {
    const { clock, stream, visible } = this.ports;
    this.#cancel?.();
    this.#cancel = null;
    const here = visible.get();
    if (!here || stream.state.get() !== "live") this.others.set([]);
    stream.sayAt(here ? this.thread : null, clock.now() - this.#typedAt < TYPING_AGAIN);
    if (!here) return;
    this.#cancel = clock.after(AGAIN, () => {
      this.#beat();
    });
  }
}
