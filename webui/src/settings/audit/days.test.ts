import { expect, it } from "vitest";

import { beginning } from "./days";

it.each([
  ["2026-07-01", "UTC", 0, "2026-07-01T00:00:00.000Z"],
  ["2026-07-01", "Europe/Berlin", 0, "2026-06-30T22:00:00.000Z"],
  ["2026-03-29", "Europe/Berlin", 0, "2026-03-28T23:00:00.000Z"],
  ["2026-03-29", "Europe/Berlin", 1, "2026-03-29T22:00:00.000Z"],
  ["2026-11-01", "America/Chicago", 0, "2026-11-01T05:00:00.000Z"],
  ["2026-11-01", "America/Chicago", 1, "2026-11-02T06:00:00.000Z"],
])("%s in %s, %i days later, begins at %s", (day, zone, later, at) => {
  expect(beginning(day, zone, later)).toBe(at);
});
