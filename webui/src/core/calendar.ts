const DAY = 86_400_000;

/** The month that a day (a number that counts days) is in, as a number that counts months. */
export function monthOf(day: number): number {
  const date = new Date(day * DAY);
  return date.getUTCFullYear() * 12 + date.getUTCMonth();
}

/** The first day of a month. */
export function monthStart(month: number): number {
  return Date.UTC(Math.floor(month / 12), ((month % 12) + 12) % 12, 1) / DAY;
}

/** The weeks of a month, six of seven days, the first and the last of them of months beside it. */
export function weeksOf(month: number, week: number): number[][] {
  const start = monthStart(month);
  const weekday = ((((start + 3) % 7) + 7) % 7) + 1;
  const first = start - ((weekday - week + 7) % 7);
  return Array.from({ length: 6 }, (_, row) =>
    Array.from({ length: 7 }, (__, day) => first + row * 7 + day),
  );
}

/** Where a key leads from a day of the calendar; `null` for a key that leads nowhere. */
export function keyFrom(key: string, day: number, week: number): number | null {
  const inWeek = (((day + 3) % 7) + 8 - week + 7) % 7;
  switch (key) {
    case "ArrowLeft":
      return day - 1;
    case "ArrowRight":
      return day + 1;
    case "ArrowUp":
      return day - 7;
    case "ArrowDown":
      return day + 7;
    case "Home":
      return day - inWeek;
    case "End":
      return day - inWeek + 6;
    case "PageUp":
      return sameDay(day, -1);
    case "PageDown":
      return sameDay(day, 1);
    default:
      return null;
  }
}

/** The same day some months later, or the last one that month has. */
function sameDay(day: number, months: number): number {
  const month = monthOf(day) + months;
  const wanted = monthStart(month) + (day - monthStart(monthOf(day)));
  return Math.min(wanted, monthStart(month + 1) - 1);
}
