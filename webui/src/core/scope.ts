import type { Filter, Scope, Status, ThreadRow } from "./wire";

export const statuses: readonly Status[] = ["open", "unread", "closed", "all"];
export const filters: readonly Filter[] = ["all", "unread", "unassigned", "mine", "needs_response"];

export const defaultScope: Scope = { status: "open", filter: "all" };

/** Whether a row belongs in the list of a scope; `me` is the reader's member id. */
export function matches(row: ThreadRow, scope: Scope, me: string): boolean {
  return matchesStatus(row, scope.status) && matchesFilter(row, scope.filter, me);
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

export function matchesFilter(row: ThreadRow, filter: Filter, me: string): boolean {
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
  }
}

/** Newest activity first, ties by id. */
export function byActivity(a: ThreadRow, b: ThreadRow): number {
  if (a.sort_at !== b.sort_at) return Date.parse(b.sort_at) - Date.parse(a.sort_at) || 0;
  return a.id < b.id ? 1 : -1;
}
