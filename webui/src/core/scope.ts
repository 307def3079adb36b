import { unbound, weekStart, type Bounds } from "./range";
import type { Filter, Scope, Status, ThreadRow } from "./wire";

export const statuses: readonly Status[] = ["open", "unread", "closed", "all"];
export const filters: readonly Filter[] = [
  "all",
  "unread",
  "unassigned",
  "mine",
  "needs_response",
  "late",
];

export const defaultScope: Scope = { status: "open", filter: "all", range: "30d" };

/** Whether two scopes are the same list. */
export function sameScope(a: Scope, b: Scope): boolean {
  return a === b || scopeKey(a) === scopeKey(b);
}

/** Tells scopes apart: the same for two that are the same list. */
export function scopeKey(scope: Scope): string {
  return JSON.stringify(queryOf(scope, 1));
}

/** A scope as the server is asked for it; `week` is the day that weeks begin with, by default where
 * the reader is. */
export function queryOf(scope: Scope, week?: number) {
  const { status, filter, range = "all", from, to, assignee, channels, own, q } = scope;
  if (q !== undefined) return { status: "all" as const, filter: "all" as const, q };
  return {
    status,
    filter,
    ...(range === "all" ? {} : { range }),
    ...(range === "custom" && from !== undefined ? { from } : {}),
    ...(range === "custom" && to !== undefined ? { to } : {}),
    ...(range === "week" ? { week_start: week ?? weekStart(undefined) } : {}),
    ...(assignee === undefined ? {} : { assignee }),
    ...(channels?.length ? { channel: [...channels] } : {}),
    ...(own?.length ? { own_address: [...own] } : {}),
  };
}

/** A scope without some of what narrows it. */
export function without(scope: Scope, ...keys: (keyof Scope)[]): Scope {
  const kept = Object.entries(scope).filter(([key]) => !keys.includes(key as keyof Scope));
  return Object.fromEntries(kept) as unknown as Scope;
}

/** A scope without what is searched for: what its counts are of. */
export function withoutSearch(scope: Scope): Scope {
  return without(scope, "q");
}

/** Whether the filters narrow a scope, besides its tab and its dates. */
export function isFiltered({ filter, assignee, channels, own }: Scope): boolean {
  return (
    filter !== "all" || assignee !== undefined || Boolean(channels?.length) || Boolean(own?.length)
  );
}

/**
 * Whether a row belongs in the list of a scope; `me` is the reader's member id, `now` the time,
 * `bounds` between which moments its range lies. `null`: only the server knows, because of what
 * happened before the last activity. One in which nothing is left belongs in none.
 */
export function matches(
  row: ThreadRow,
  scope: Scope,
  me: string,
  now: number,
  bounds: Bounds = unbound,
): boolean | null {
  const { assignee, channels = [], own = [] } = scope;
  const plain =
    row.preview !== null &&
    matchesStatus(row, scope.status) &&
    matchesFilter(row, scope.filter, me, now) &&
    (assignee === undefined || row.assignee?.id === assignee) &&
    (channels.length === 0 || channels.some((channel) => row.channel_ids.includes(channel)));
  if (!plain) return false;
  const at = Date.parse(row.active_at);
  if (bounds.since !== null && at < bounds.since) return false;
  if (own.length > 0 || (bounds.until !== null && at >= bounds.until)) return null;
  return true;
}

export function matchesStatus(row: ThreadRow, status: Status): boolean {
  switch (status) {
    case "open":
      return row.status === "open";
    case "unread":
      return row.unread > 0;
    case "closed":
      return row.status === "closed";
    case "all":
      return true;
  }
}

export function matchesFilter(row: ThreadRow, filter: Filter, me: string, now: number): boolean {
  switch (filter) {
    case "all":
      return true;
    case "unread":
      return row.unread > 0;
    case "unassigned":
      return row.assignee === null;
    case "mine":
      return row.assignee?.id === me;
    case "needs_response":
      return row.needs_response;
    case "late":
      return isLate(row, now);
  }
}

/** Whether somebody should have answered by now. */
export function isLate(row: ThreadRow, now: number): boolean {
  return Boolean(row.reply_due_at) && Date.parse(row.reply_due_at ?? "") <= now;
}

/** Newest activity first, ties by id. */
export function byActivity(a: ThreadRow, b: ThreadRow): number {
  if (a.sort_at !== b.sort_at) return Date.parse(b.sort_at) - Date.parse(a.sort_at) || 0;
  return a.id < b.id ? 1 : -1;
}
