/**
 * Which element shows which row. To draw another row in an element that is there costs much less
 * than to make one: rows that come take the elements of those that went.
 */
export class Slots {
  readonly #slots = new Map<string, number>();
  #free: number[] = [];
  #next = 0;

  /** The key of the element of a row. */
  of(id: string): number {
    let slot = this.#slots.get(id);
    if (slot === undefined) {
      slot = this.#free.pop() ?? this.#next++;
      this.#slots.set(id, slot);
    }
    return slot;
  }

  /** The list is another one: of the rows that are drawn some stay, and some give their element. */
  turn(drawn: Iterable<{ id: string; gives: boolean }>): void {
    const before = new Map(this.#slots);
    this.#slots.clear();
    this.#free = [];
    for (const { id, gives } of drawn) {
      const slot = before.get(id);
      if (slot === undefined) continue;
      if (gives) this.#free.push(slot);
      else this.#slots.set(id, slot);
    }
    this.#free.reverse();
  }
}
