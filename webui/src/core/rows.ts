import { type Cell, CellMap } from "./cell";
import type { ThreadDetail, ThreadRow } from "./wire";

/** Every conversation the page knows, one cell each, and the position each is true at. */
export class Rows {
  readonly #cells = new CellMap<string, ThreadRow | null>(() => null);
  readonly #positions = new Map<string, number>();
  readonly #told = new Map<string, ThreadRow>();

  at(id: string): Cell<ThreadRow | null> {
    return this.#cells.at(id);
  }

  get(id: string): ThreadRow | null {
    return this.#cells.at(id).get();
  }

  all(): ThreadRow[] {
    return this.#cells.keys().flatMap((id) => this.get(id) ?? []);
  }

  /** A row as the server told it last, without what was changed here since. */
  told(id: string): ThreadRow | null {
    return this.#told.get(id) ?? null;
  }

  /** What became known after a position. */
  since(position: number): ThreadRow[] {
    return this.all().filter((row) => (this.#positions.get(row.id) ?? -1) > position);
  }

  /** Takes a row as it is at a position; says whether it was news. */
  put(row: ThreadRow, position: number): boolean {
    if (position < (this.#positions.get(row.id) ?? -1)) return false;
    this.#positions.set(row.id, position);
    this.#told.set(row.id, row);
    this.#cells.at(row.id).set(row);
    return true;
  }

  /** Changes a row here and now, before the server has said so. */
  patch(id: string, change: Partial<ThreadRow>): void {
    this.#cells.at(id).update((row) => (row ? { ...row, ...change } : row));
  }
}

/** Whether a row from the stream has what the list needs to show it. */
export function isWhole(row: ThreadRow | null | undefined): row is ThreadRow {
  return (
    row !== null &&
    row !== undefined &&
    typeof row.id === "string" &&
    typeof row.sort_at === "string" &&
    typeof row.status === "string" &&
    typeof row.contact?.display === "string"
  );
}

/** What is told of a conversation that is open, besides its row. */
const besides: Record<Exclude<keyof ThreadDetail, keyof ThreadRow>, true> = {
  calls: true,
  compose: true,
  consents: true,
  default_channel_id: true,
  details: true,
  read_up_to: true,
};

/** A row without what is told besides: rows are kept for good. */
export function rowOf(detail: ThreadRow): ThreadRow {
  const own = Object.entries(detail).filter(([key]) => !(key in besides));
  return Object.fromEntries(own) as unknown as ThreadRow;
}
