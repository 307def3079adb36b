import { describe, expect, it } from "vitest";

import { en } from "../src/core/strings.en";
import { en as words } from "../src/core/words.en";

type Catalogue = { readonly [key: string]: unknown };

/** The catalogues of pages and dialogs that few people open. */
const apart = import.meta.glob<{ en: Catalogue }>("../src/{account,settings}/**/strings.en.ts", {
  eager: true,
});

/** Every string of a catalogue, those that take values with some. */
function strings(catalogue: Catalogue, path = ""): [string, unknown][] {
  return Object.entries(catalogue).flatMap(([key, value]) => {
    const at = `${path}.${key}`;
    if (typeof value === "function") {
      const given = value as (...values: unknown[]) => unknown;
      // Some name what is in a list, which may be empty.
      const say = (...values: number[]) => {
        try {
          return given(...values);
        } catch {
          return given([]);
        }
      };
      return [
        [at, say(2, 3, 4)],
        [`${at} (one)`, say(1, 1, 1)],
        [`${at} (many)`, say(200, 100, 50)],
      ];
    }
    return typeof value === "object" && value !== null
      ? strings(value as Catalogue, at)
      : [[at, value]];
  });
}

describe("the catalogue", () => {
  const sections = Object.values(apart).flatMap((section) => strings(section.en));

  it.each([...strings(en), ...strings(words), ...sections])("%s says something", (_, said) => {
    expect(said).toBeTypeOf("string");
    expect(said).not.toMatch(/undefined|\[object/);
    expect(said).not.toMatch(/!|\bplease\b/i);
  });
});

it("does without what is not known", () => {
  expect(words.entry.failed(null)).toBe("Failed");
  expect(words.entry.failedFile(null)).toBe("The file could not be fetched");
  expect(words.details.consentTitle("by text", "Friday", null)).toBe("Friday: by text");
  expect(en.top.title(0, "Messages")).toBe("Messages");
});
