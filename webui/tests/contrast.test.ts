import { readFileSync } from "node:fs";
import { resolve } from "node:path";

import { describe, expect, it } from "vitest";

const css = readFileSync(resolve(import.meta.dirname, "../src/ui/themes.css"), "utf8");

/** The tokens of each theme and mode, as relative luminance (WCAG 2.2). */
const looks = [...css.matchAll(/\[data-theme="(\w+)"\]\[data-mode="(\w+)"\] \{(.*?)\n\}/gs)].map(
  ([, theme, mode, body]) => ({
    name: `${String(theme)} ${String(mode)}`,
    tokens: new Map(
      [...String(body).matchAll(/--([\w-]+): oklch\(([\d.]+) ([\d.]+) ([\d.]+)\)/g)].map(
        ([, token, l, c, h]) => [String(token), luminance(Number(l), Number(c), Number(h))],
      ),
    ),
  }),
);

/** OKLCH to relative luminance: https://www.w3.org/TR/css-color-4/#color-conversion-code */
function luminance(lightness: number, chroma: number, hue: number): number {
  const a = chroma * Math.cos((hue * Math.PI) / 180);
  const b = chroma * Math.sin((hue * Math.PI) / 180);
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  const inGamut = (value: number) => Math.min(1, Math.max(0, value));
  const red = inGamut(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s);
  const green = inGamut(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s);
  const blue = inGamut(-0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s);
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

const grounds = ["bg-panel", "bg-app", "bg-raised", "bg-sunken", "bg-hover", "bg-selected"];
const states = ["ok", "warn", "danger", "info"];
const softs = [...states.map((state) => `${state}-soft`), "accent-soft", "accent2-soft"];
const tones = ["gray", "blue", "green", "purple", "teal", "amber", "red", "pink"];

const pairs: [string, string, number][] = [
  ...["fg", "fg-muted"].flatMap((text) =>
    [...grounds, "bg-input", "bubble-in", "bubble-out", "note-bg", "flash", ...softs].map(
      (ground): [string, string, number] => [text, ground, 4.5],
    ),
  ),
  ...["fg-subtle", "accent-text", ...states, ...tones.map((tone) => `tone-${tone}`)].flatMap(
    (text) => [...grounds, "flash"].map((ground): [string, string, number] => [text, ground, 4.5]),
  ),
  ...states.map((state): [string, string, number] => [state, `${state}-soft`, 4.5]),
  ["accent-text", "accent-soft", 4.5],
  ...tones.map((tone): [string, string, number] => [`tone-${tone}`, "bubble-in", 4.5]),
  ...[...grounds.slice(0, 4), "accent2-soft"].map((ground): [string, string, number] => [
    "accent2-text",
    ground,
    4.5,
  ]),
  ["accent-fg", "accent", 4.5],
  ["accent-fg", "accent-hover", 4.5],
  ["banner-fg", "banner-bg", 4.5],
  ["note-fg", "note-bg", 4.5],
  ["bg-panel", "danger", 4.5],
  ...[...grounds, "bg-input", "bubble-in", "bubble-out", "note-bg", "flash", ...softs].map(
    (ground): [string, string, number] => ["focus", ground, 3],
  ),
  ["banner-fg", "banner-bg", 3],
  ...["bg-panel", "bg-input", "bg-raised", "bg-app", "bg-sunken"].map(
    (ground): [string, string, number] => ["line-strong", ground, 3],
  ),
  ["accent", "bg-panel", 3],
  ["note-line", "note-bg", 3],
  ...[1, 2, 3, 4, 5, 6].map((n): [string, string, number] => [`chart-${String(n)}`, "bg-panel", 3]),
];

describe.each(looks)("$name", ({ tokens }) => {
  it.each(pairs)("%s on %s reaches %d", (text, ground, least) => {
    const [a, b] = [tokens.get(text), tokens.get(ground)];
    if (a === undefined || b === undefined) throw new Error(`no such token: ${text} or ${ground}`);
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    expect(ratio).toBeGreaterThanOrEqual(least);
  });
});

it("there are four themes in two modes, and no colour anywhere else", () => {
  expect(looks).toHaveLength(8);
});
