import { Cell } from "../../core/cell";
import type { Inbox } from "../../core/inbox";
import { reasonOf } from "../../core/problem";

/** What a page lists: read at first, and anew whenever people have changed. */
export class Loaded<T> {
  readonly data = new Cell<T | null>(null);
  /** Why it could not be read last; what was known before stays. */
  readonly why = new Cell<string | null>(null);
  #reading = 0;

  constructor(private readonly read: () => Promise<T>) {}

  /** Reads it; of several readings under way the one that began last counts. */
  async again(): Promise<void> {
    const reading = ++this.#reading;
    try {
      const data = await this.read();
      if (reading !== this.#reading) return;
      this.why.set(null);
      this.data.set(data);
    } catch (error) {
      if (reading === this.#reading) this.why.set(reasonOf(error));
    }
  }

  /** Reads it now and whenever it may have changed, until called off. */
  watch({ membersChanged, stream }: Inbox): () => void {
    const ends = [
      membersChanged.subscribe(() => void this.again()),
      stream.state.subscribe(() => {
        if (stream.reached) void this.again();
      }),
    ];
    void this.again();
    return () => {
      for (const end of ends) end();
    };
  }
}
