/** One value that can be watched. Values are immutable and replaced whole. */
export class Cell<T> {
  #value: T;
  readonly #listeners = new Set<() => void>();

  constructor(value: T) {
    this.#value = value;
  }

  get(): T {
    return this.#value;
  }

  set(value: T): void {
    if (Object.is(this.#value, value)) return;
    this.#value = value;
    for (const listener of [...this.#listeners]) listener();
  }

  update(change: (value: T) => T): void {
    this.set(change(this.#value));
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

/** Cells by key, made when first asked for. */
export class CellMap<K, V> {
  readonly #cells = new Map<K, Cell<V>>();

  constructor(private readonly initial: (key: K) => V) {}

  at(key: K): Cell<V> {
    let cell = this.#cells.get(key);
    if (!cell) {
      cell = new Cell(this.initial(key));
      this.#cells.set(key, cell);
    }
    return cell;
  }

  keys(): K[] {
    return [...this.#cells.keys()];
  }
}
