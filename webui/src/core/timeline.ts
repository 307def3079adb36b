import { dayKey, type Zone } from "./dates";
import type { Entry } from "./wire";

/** What stands under the name of one day. */
export interface Day {
  readonly key: number;
  /** A moment of it. */
  readonly at: string;
  readonly items: readonly Item[];
}

/** What stands in a thread, from top to bottom. */
export type Item =
  | { type: "unread"; key: string }
  | { type: "events"; key: string; entries: readonly Entry[] }
  | { type: "entry"; key: string; entry: Entry; joins: boolean; last: boolean };

const JOIN_WITHIN = 5 * 60_000;
/** So many system events in a row fold into one line. */
export const FOLD_FROM = 3;

/** The key an entry keeps from the moment it is written: the sender's, until and after it is real. */
export function entryKey(entry: Entry): string {
  return entry.idempotency_key ?? entry.id;
}

/** A message that is shown as a letter: with a subject, or formatted. */
export function isLetter(entry: Entry): boolean {
  return (
    entry.kind === "message" &&
    (entry.subject !== null || entry.blocks.some((block) => block.type === "html"))
  );
}

/** What is shown as a bubble. */
function isBubble(entry: Entry): boolean {
  return (entry.kind === "message" && !isLetter(entry)) || entry.kind === "note";
}

/** Whether how it is with a message has to be said of it alone. */
export function standsAlone(entry: Entry): boolean {
  return (
    entry.approval !== null ||
    ["failed", "unknown", "canceled", "scheduled"].includes(entry.status ?? "")
  );
}

/** Whether an entry goes under the one before as one group with one line below. */
function joins(before: Entry, entry: Entry): boolean {
  return (
    isBubble(before) &&
    isBubble(entry) &&
    !standsAlone(before) &&
    !standsAlone(entry) &&
    before.kind === entry.kind &&
    before.direction === entry.direction &&
    before.channel_id === entry.channel_id &&
    before.author.kind === entry.author.kind &&
    before.author.id === entry.author.id &&
    Date.parse(entry.occurred_at) - Date.parse(before.occurred_at) <= JOIN_WITHIN
  );
}

/** Lays entries out, in time order: days, "unread from here", groups, folded events. */
export function layOut(entries: readonly Entry[], unreadFrom: string | null, zone: Zone): Day[] {
  const days: Day[] = [];
  let items: Item[] = [];
  let previous: Entry | null = null;
  for (const entry of entries) {
    const day = dayKey(entry.occurred_at, zone);
    if (days.at(-1)?.key !== day) {
      items = [];
      days.push({ key: day, at: entry.occurred_at, items });
      previous = null;
    }
    if (entry.id === unreadFrom) {
      items.push({ type: "unread", key: "unread" });
      previous = null;
    }
    const above = items.at(-1);
    if (entry.kind === "system") {
      if (above?.type === "events") above.entries = [...above.entries, entry];
      else items.push({ type: "events", key: `events-${entry.id}`, entries: [entry] });
      previous = null;
      continue;
    }
    const joined = previous !== null && joins(previous, entry);
    if (joined && above?.type === "entry") above.last = false;
    items.push({ type: "entry", key: entryKey(entry), entry, joins: joined, last: true });
    previous = entry;
  }
  return days;
}
