import { t } from "./strings";

/** How times are shown: the browser's language, the organisation's time zone. */
export interface Zone {
  locale: string | undefined;
  timeZone: string;
}

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
const formats = new Map<string, Intl.DateTimeFormat>();
const relatives = new Map<string | undefined, Intl.RelativeTimeFormat>();
const days = new Map<string, Map<number, number>>();
const QUARTER = 15 * MINUTE;
/** A month of quarters. */
const DAYS_KEPT = 3_000;

function format(zone: Zone, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = JSON.stringify([zone, options]);
  let made = formats.get(key);
  if (!made) {
    made = new Intl.DateTimeFormat(zone.locale, { timeZone: zone.timeZone, ...options });
    formats.set(key, made);
  }
  return made;
}

/** The calendar day of a moment in the zone, as a number that counts days. Everywhere it is the
 * same for a whole quarter of an hour, and is looked up once for each. */
function dayNumber(at: number, zone: Zone): number {
  const quarter = Math.floor(at / QUARTER);
  let known = days.get(zone.timeZone);
  if (!known || known.size > DAYS_KEPT) days.set(zone.timeZone, (known = new Map()));
  let day = known.get(quarter);
  if (day === undefined) known.set(quarter, (day = findDay(quarter * QUARTER, zone)));
  return day;
}

function findDay(at: number, zone: Zone): number {
  const parts = format(
    { locale: "en", timeZone: zone.timeZone },
    { year: "numeric", month: "numeric", day: "numeric" },
  ).formatToParts(at);
  const part = (type: string) => Number(parts.find((each) => each.type === type)?.value);
  return Date.UTC(part("year"), part("month") - 1, part("day")) / DAY;
}

function sameYear(a: number, b: number, zone: Zone): boolean {
  const year = format(zone, { year: "numeric" });
  return year.format(a) === year.format(b);
}

/** "14:55" */
export function clockTime(iso: string, zone: Zone): string {
  return format(zone, { timeStyle: "short" }).format(Date.parse(iso));
}

/** "Thursday, 19 November 2026, 14:55:02": what a title shows. */
export function fullTime(iso: string, zone: Zone): string {
  return format(zone, { dateStyle: "full", timeStyle: "medium" }).format(Date.parse(iso));
}

/** "19 November 2026" */
export function longDate(iso: string, zone: Zone): string {
  return format(zone, { dateStyle: "long" }).format(Date.parse(iso));
}

/** How long ago for a row of the list: now, minutes, time of day, weekday, date. */
export function rowTime(iso: string, now: number, zone: Zone): string {
  const at = Date.parse(iso);
  const age = now - at;
  if (age < MINUTE) return t.time.now;
  if (age < 60 * MINUTE) return t.time.minutes(Math.floor(age / MINUTE));
  const days = dayNumber(now, zone) - dayNumber(at, zone);
  if (days === 0) return clockTime(iso, zone);
  if (days < 7) return format(zone, { weekday: "short" }).format(at);
  return sameYear(at, now, zone)
    ? format(zone, { day: "numeric", month: "short" }).format(at)
    : format(zone, { dateStyle: "short" }).format(at);
}

/** The same for a screen reader: "3 minutes ago", else the full date. */
export function spokenTime(iso: string, now: number, zone: Zone): string {
  const age = now - Date.parse(iso);
  if (age < MINUTE) return t.time.now;
  const minutes = Math.floor(age / MINUTE);
  let relative = relatives.get(zone.locale);
  if (!relative) relatives.set(zone.locale, (relative = new Intl.RelativeTimeFormat(zone.locale)));
  if (minutes < 60) return relative.format(-minutes, "minute");
  if (minutes < 24 * 60) return relative.format(-Math.floor(minutes / 60), "hour");
  return format(zone, { dateStyle: "long", timeStyle: "short" }).format(Date.parse(iso));
}

/** "14:55" of today, else with its day, and the year if it is another one. */
export function dayTime(iso: string, now: number, zone: Zone): string {
  const at = Date.parse(iso);
  if (dayNumber(now, zone) === dayNumber(at, zone)) return clockTime(iso, zone);
  return format(zone, {
    weekday: "short",
    day: "numeric",
    month: "short",
    year: sameYear(at, now, zone) ? undefined : "numeric",
    hour: "numeric",
    minute: "2-digit",
  }).format(at);
}

/** A key that is the same for all moments of one day in the zone. */
export function dayKey(iso: string, zone: Zone): number {
  return dayNumber(Date.parse(iso), zone);
}

/** "Today", "Yesterday", else the weekday with its date. */
export function dayLabel(iso: string, now: number, zone: Zone): string {
  const at = Date.parse(iso);
  const days = dayNumber(now, zone) - dayNumber(at, zone);
  if (days === 0) return t.time.today;
  if (days === 1) return t.time.yesterday;
  return format(zone, {
    weekday: "long",
    day: "numeric",
    month: "long",
    ...(sameYear(at, now, zone) ? {} : { year: "numeric" }),
  }).format(at);
}

/** How far the clocks of a zone are ahead of UTC at a moment, in milliseconds. */
function offset(at: number, zone: Zone): number {
  const parts = format(
    { locale: "en", timeZone: zone.timeZone },
    {
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
      hourCycle: "h23",
    },
  ).formatToParts(at);
  const part = (type: string) => Number(parts.find((each) => each.type === type)?.value);
  const wall = Date.UTC(
    part("year"),
    part("month") - 1,
    part("day"),
    part("hour"),
    part("minute"),
    part("second"),
  );
  return wall - at;
}

/** The moment at which a day of `dayKey` begins in the zone. */
export function dayStart(day: number, zone: Zone): number {
  const midnight = day * DAY;
  const guess = midnight - offset(midnight, zone);
  return midnight - offset(guess, zone);
}

/** A number of `dayKey` as a date that people read: "20 Nov", with the year where it is another. */
export function shortDay(day: number, today: number, zone: Zone): string {
  const utc = { locale: zone.locale, timeZone: "UTC" };
  const date = { day: "numeric", month: "short" } as const;
  const other = !sameYear(day * DAY, today * DAY, utc);
  return format(utc, other ? { ...date, year: "numeric" } : date).format(day * DAY);
}
