import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";

import { describe, expect, it, test } from "vitest";

import { canNarrow, countSegments, narrow } from "./segments";

const fixtures = process.env["HUB_FIXTURES"] ?? resolve("../../shared/fixtures");
const recorded = join(fixtures, "twilio", "segment_cases.json");

interface Case {
  testDescription: string;
  body: string;
  encoding: string;
  segments: number;
}

describe.runIf(existsSync(recorded))("recorded cases", () => {
  const cases = existsSync(recorded) ? (JSON.parse(readFileSync(recorded, "utf8")) as Case[]) : [];
  test.each(cases.map((each) => [each.testDescription, each] as const))("%s", (_, each) => {
    const counted = countSegments(each.body);
    expect([counted.encoding, counted.segments]).toEqual([each.encoding, each.segments]);
  });
});

describe("segments", () => {
  it.each([
    ["nothing", "", "GSM-7", 1, 160],
    ["one full", "a".repeat(160), "GSM-7", 1, 0],
    ["one over", "a".repeat(161), "GSM-7", 2, 145],
    ["two full", "a".repeat(306), "GSM-7", 2, 0],
    ["extended characters take two", "€".repeat(80), "GSM-7", 1, 0],
    ["an extended character is not split", "a".repeat(152) + "€" + "a".repeat(8), "GSM-7", 2, 143],
    ["one wide full", "ж".repeat(70), "UCS-2", 1, 0],
    ["one wide over", "ж".repeat(71), "UCS-2", 2, 63],
    ["a pair is not split", "ж".repeat(66) + "😜" + "ж".repeat(4), "UCS-2", 2, 61],
  ])("%s", (_, text, encoding, segments, left) => {
    expect(countSegments(text)).toMatchObject({ encoding, segments, left });
  });

  it("names the characters that force the wide set, and replaces those it can", () => {
    const { wide } = countSegments("“Hi” – ok…");
    expect(wide).toEqual(["“", "”", "–", "…"]);
    expect(canNarrow(wide)).toBe(true);
    expect(narrow("“Hi” – ok…")).toBe('"Hi" - ok...');
    expect(canNarrow(["“", "ж"])).toBe(false);
    expect(canNarrow([])).toBe(false);
  });
});
