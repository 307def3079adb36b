import { dayKey, dayStart, shortDay, type Zone } from "./dates";
import type { Storage } from "./drafts";
import { t } from "./strings";
import type { RangeName, Scope } from "./wire";

export const ranges: readonly RangeName[] = ["all", "today", "week", "month", "30d", "custom"];

const DAY = 86_400_000;
const LAST = 30;

interface WeekInfo {
  weekInfo?: { firstDay: number };
  getWeekInfo?: () => { firstDay: number };
}

/** The day that weeks begin with where the reader is: 1 (Monday) to 7. */
export function weekStart(locale: string | undefined): number {
  try {
    const known = new Intl.Locale(
      locale ?? Intl.DateTimeFormat().resolvedOptions().locale,
    ) as Intl.Locale & WeekInfo;
    return (known.getWeekInfo?.() ?? known.weekInfo)?.firstDay ?? 1;
  } catch {
    return 1;
  }
}

/** A day ("2026-11-20") as a number that counts days; `null` where there is none. */
export function dayOf(day: string | undefined): number | null {
  const at = day === undefined ? NaN : Date.parse(`${day}T00:00:00Z`);
  // The 31st of a short month would be read as the 1st of the next.
  return Number.isNaN(at) || isoDay(at / DAY) !== day ? null : at / DAY;
}

/** A number that counts days as "2026-11-20". */
export function isoDay(day: number): string {
  return new Date(day * DAY).toISOString().slice(0, 10);
}

/** The first and the last day of a scope's range, as of `today`; `null`: no bound. */
export function daysOf(
  scope: Scope,
  today: number,
  week: number,
): { first: number | null; last: number | null } {
  switch (scope.range) {
    case "today":
      return { first: today, last: null };
    case "week": {
      const weekday = ((((today + 3) % 7) + 7) % 7) + 1;
      return { first: today - ((weekday - week + 7) % 7), last: null };
    }
    case "month":
      return { first: today - new Date(today * DAY).getUTCDate() + 1, last: null };
    case "30d":
      return { first: today - LAST + 1, last: null };
    case "custom": {
      const last = dayOf(scope.to);
      return { first: dayOf(scope.from), last: last !== null && last < today ? last : null };
    }
    default:
      return { first: null, last: null };
  }
}

/** Between which moments a conversation must have been active to be in a range. */
export interface Bounds {
  readonly since: number | null;
  readonly until: number | null;
}

export const unbound: Bounds = { since: null, until: null };

/** The same in moments of the organisation's days. */
export function boundsOf(scope: Scope, now: number, zone: Zone): Bounds {
  if ((scope.range ?? "all") === "all") return unbound;
  const today = dayKey(new Date(now).toISOString(), zone);
  const { first, last } = daysOf(scope, today, weekStart(zone.locale));
  return {
    since: first === null ? null : dayStart(first, zone),
    until: last === null ? null : dayStart(last + 1, zone),
  };
}

/** A range in words: "Last 30 days", "1 Nov – 20 Nov", "Since 1 Nov". */
export function rangeLabel(scope: Scope, now: number, zone: Zone): string {
  const { range = "all" } = scope;
  if (range !== "custom") return t.range[range];
  const today = dayKey(new Date(now).toISOString(), zone);
  const [first, last] = [dayOf(scope.from), dayOf(scope.to)];
  const say = (day: number) => shortDay(day, today, zone);
  if (first === null) return last === null ? t.range.all : t.range.until(say(last));
  if (last === null) return t.range.since(say(first));
  return first === last ? say(first) : t.range.between(say(first), say(last));
}

const REMEMBERED = "hub.range";
const REMEMBERED_DAYS = "hub.range.days";

/** Keeps the range in this browser, and the days of a custom one. */
export function rememberRange(storage: Storage, { range = "all", from, to }: Scope): void {
  storage.set(REMEMBERED, range);
  if (range === "custom") storage.set(REMEMBERED_DAYS, JSON.stringify([from ?? null, to ?? null]));
}

/** The days of the last custom range in this browser. */
export function lastDays(storage: Storage): Pick<Scope, "from" | "to"> {
  try {
    const kept = JSON.parse(storage.get(REMEMBERED_DAYS) ?? "[]") as unknown;
    const [from, to] = (Array.isArray(kept) ? kept : []) as unknown[];
    const day = (given: unknown) =>
      typeof given === "string" && dayOf(given) !== null ? given : undefined;
    const [first, last] = [day(from), day(to)];
    return {
      ...(first === undefined ? {} : { from: first }),
      ...(last === undefined ? {} : { to: last }),
    };
  } catch {
    return {};
  }
}

/** A scope with the range that was chosen last in this browser. */
export function withRememberedRange(storage: Storage, scope: Scope): Scope {
  const range = ranges.find((each) => each === storage.get(REMEMBERED));
  if (range === undefined) return scope;
  return { ...scope, range, ...(range === "custom" ? lastDays(storage) : {}) };
}
