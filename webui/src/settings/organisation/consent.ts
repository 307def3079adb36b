import type { Settings } from "../api";
import { t } from "./strings";

export type Language = Settings["consent"]["languages"][number];

/** In the order of their names, whatever language those are in. */
export const languages: readonly Language[] = ["nl", "en", "fr", "de", "it", "pt", "es"];

const MOST_WORDS = 50;
const LONGEST_WORD = 40;
const LONGEST_ANSWER = 480;

/** What people call these languages. */
export function namesOf(codes: readonly Language[]): Record<Language, string> {
  const names = new Intl.DisplayNames("en", { type: "language" });
  return Object.fromEntries(codes.map((code) => [code, names.of(code) ?? code])) as Record<
    Language,
    string
  >;
}

/** The words that somebody has written, separated by commas or lines; each once. */
export function wordsIn(text: string): string[] {
  const words = text.split(/[,;\n]/).map((word) => word.trim().replace(/\s+/g, " "));
  return [...new Set(words.filter((word) => word !== ""))];
}

export function wordsFault(words: readonly string[]): string | null {
  if (words.length > MOST_WORDS) return t.consent.tooMany(MOST_WORDS);
  const long = words.find((word) => [...word].length > LONGEST_WORD);
  return long === undefined ? null : t.consent.tooLongWord(long, LONGEST_WORD);
}

export function answerFault(answer: string): string | null {
  const length = [...answer].length;
  return length > LONGEST_ANSWER ? t.consent.tooLong(length, LONGEST_ANSWER) : null;
}
