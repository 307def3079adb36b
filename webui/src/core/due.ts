import { t } from "./strings";

const MINUTE = 60_000;
const HOUR = 60;
const DAY = 24 * HOUR;

/** How much time an answer has left, or how late it is; `null` where none is due. */
export function dueIn(
  at: string | null | undefined,
  now: number,
): { late: boolean; text: string } | null {
  if (!at) return null;
  const left = Date.parse(at) - now;
  const minutes = Math.floor(Math.abs(left) / MINUTE);
  const days = Math.floor(minutes / DAY);
  const lasts =
    days > 1 ? t.time.days(days) : t.time.lasts(Math.floor(minutes / HOUR), minutes % HOUR);
  if (left > 0) return { late: false, text: minutes < 1 ? t.due.soon : t.due.left(lasts) };
  return { late: true, text: minutes < 1 ? t.due.now : t.due.late(lasts) };
}
