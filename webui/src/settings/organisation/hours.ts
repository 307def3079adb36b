import type { Settings } from "../api";
import { t } from "./strings";

export type Span = Settings["hours"]["monday"][number];
export type Holiday = Settings["hours"]["holidays"][number];

export const days = [
  "monday",
  "tuesday",
  "wednesday",
  "thursday",
  "friday",
  "saturday",
  "sunday",
] as const;
export type Day = (typeof days)[number];

/** How much of a day somebody is there. */
export type Open = "closed" | "always" | "hours";

const MIDNIGHT = "24:00";
const allDay: Span = { opens: "00:00", closes: MIDNIGHT };

export function openOn(spans: readonly Span[]): Open {
  const [first] = spans;
  if (first === undefined) return "closed";
  const whole = first.opens === allDay.opens && first.closes === allDay.closes;
  return spans.length === 1 && whole ? "always" : "hours";
}

/** What a day becomes when somebody chooses how much of it they are there. */
export function spansFor(open: Open): Span[] {
  if (open === "closed") return [];
  return [open === "always" ? allDay : { opens: "09:00", closes: "17:00" }];
}

/** A field for times has no 24:00; there the end of the day is what it begins with. */
export const closingShown = (closes: string) => (closes === MIDNIGHT ? "00:00" : closes);
export const closingMeant = (shown: string) => (shown === "00:00" ? MIDNIGHT : shown);

export function isWhole(spans: readonly Span[]): boolean {
  return spans.every(({ opens, closes }) => opens !== "" && closes !== "");
}

/** What is wrong with a day that can be said without asking. */
export function faultOf(spans: readonly Span[]): string | null {
  return isWhole(spans) ? null : t.hours.need;
}

export function byDate(holidays: readonly Holiday[]): Holiday[] {
  return [...holidays].sort((one, other) => one.date.localeCompare(other.date));
}

/** What is wrong with another holiday on that day. */
export function holidayFault(holidays: readonly Holiday[], date: string): string | null {
  if (date === "") return t.holidays.need;
  return holidays.some((holiday) => holiday.date === date) ? t.holidays.twice : null;
}
