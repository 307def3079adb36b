import type { Entry, EntryStatus } from "./wire";

/** How far a sending has come; what is not here ends one, or waits outside of it. */
const PROGRESS: Partial<Record<EntryStatus, number>> = {
  pending_approval: 0,
  scheduled: 0,
  pending: 1,
  queued: 2,
  sent: 3,
  delivered: 4,
  read: 5,
};

/** Whether what is shown already says more than what arrives: a status never goes back. */
export function outranks(shown: Entry, arriving: Entry): boolean {
  if (!shown.status || !arriving.status) return false;
  const from = PROGRESS[shown.status];
  const to = PROGRESS[arriving.status];
  if (from !== undefined) {
    if (to === undefined) return from >= 4;
    return from > to;
  }
  // Failed, unknown or canceled: only what happened later moves on from there.
  if (to === undefined || to >= 4) return false;
  return Date.parse(arriving.status_at ?? "") < Date.parse(shown.status_at ?? "");
}

/** The newer form of an entry, with the status that says more. */
export function merge(shown: Entry, arriving: Entry): Entry {
  if (!outranks(shown, arriving)) return arriving;
  return {
    ...arriving,
    status: shown.status,
    status_reason: shown.status_reason,
    status_at: shown.status_at,
    can_cancel: shown.can_cancel,
    can_retry: shown.can_retry,
    can_resolve: shown.can_resolve,
  };
}
