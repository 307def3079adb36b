/** How many text-message segments a text takes: the rules of 3GPP TS 23.038 and 23.040. */

const BASIC = new Set(
  "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?" +
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà",
);
const EXTENDED = new Set("\f^{}\\[~]|€");

export interface Segments {
  encoding: "GSM-7" | "UCS-2";
  segments: number;
  /** Units that still fit into the last segment. */
  left: number;
  /** The characters that forced the wide set, each once. */
  wide: string[];
}

/** Room in one message alone, and in each part of several (six bytes go to the header). */
const ROOM = { "GSM-7": [160, 153], "UCS-2": [70, 67] } as const;

export function countSegments(text: string): Segments {
  const characters = [...text];
  const wide = [...new Set(characters.filter((c) => !BASIC.has(c) && !EXTENDED.has(c)))];
  const encoding = wide.length > 0 ? "UCS-2" : "GSM-7";
  const sizes = characters.map((c) => (encoding === "UCS-2" ? c.length : EXTENDED.has(c) ? 2 : 1));
  const [alone, each] = ROOM[encoding];
  const total = sizes.reduce((sum, size) => sum + size, 0);
  if (total <= alone) return { encoding, segments: 1, left: alone - total, wide };

  // A character of two units is never split: what does not fit starts the next segment.
  let segments = 1;
  let used = 0;
  for (const size of sizes) {
    if (used + size > each) {
      segments += 1;
      used = 0;
    }
    used += size;
  }
  return { encoding, segments, left: each - used, wide };
}

/** Typographic characters that a keyboard or a paste brings in, and what says the same in GSM-7. */
const PLAIN: Readonly<Record<string, string>> = {
  "\u2018": "'",
  "\u2019": "'",
  "\u201a": "'",
  "\u201c": '"',
  "\u201d": '"',
  "\u201e": '"',
  "\u2013": "-",
  "\u2014": "-",
  "\u2026": "...",
  "\u00a0": " ",
  "\u202f": " ",
  "\u2022": "-",
  "\u00ab": '"',
  "\u00bb": '"',
  "\u0060": "'",
};

/** Whether every wide character of the text has a plain form. */
export function canNarrow(wide: readonly string[]): boolean {
  return wide.length > 0 && wide.every((character) => character in PLAIN);
}

export function narrow(text: string): string {
  return [...text].map((character) => PLAIN[character] ?? character).join("");
}
