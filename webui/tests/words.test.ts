import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";

import { parse } from "svelte/compiler";
import { describe, expect, it } from "vitest";

import { en } from "../src/core/strings.en";
import { en as words } from "../src/core/words.en";

/** The catalogues of pages and dialogs that few people open. */
const apart = import.meta.glob<{ en: object }>(
  "../src/{account,approvals,settings}/**/strings.en.ts",
  {
    eager: true,
  },
);
const root = resolve(import.meta.dirname, "..");

function files(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

const sources = files("src").filter((path) => !/(\.test\.ts|api\.d\.ts)$/.test(path));
const short = (path: string) => path.slice(root.length + 1);

interface Node {
  type?: string;
  name?: string;
  data?: string;
  value?: unknown;
  [key: string]: unknown;
}

/** Attributes whose text people read or hear. */
const READ = new Set([
  "aria-label",
  "title",
  "placeholder",
  "alt",
  "label",
  "text",
  "aria-description",
]);
const hasWords = (text: unknown) => typeof text === "string" && /\p{L}{2}/u.test(text);

/** What a component's markup says in words of its own. */
function literals(node: unknown): string[] {
  if (Array.isArray(node)) return node.flatMap(literals);
  if (node === null || typeof node !== "object") return [];
  const here = node as Node;
  if (here.type === "Text") return hasWords(here.data) ? [String(here.data).trim()] : [];
  if (here.type === "Attribute") {
    const texts = READ.has(here.name ?? "") ? literals(here.value) : [];
    return texts;
  }
  if (here.type === "Script" || here.type === "StyleDirective") return [];
  return Object.entries(here).flatMap(([key, value]) =>
    ["css", "instance", "module", "metadata"].includes(key) ? [] : literals(value),
  );
}

describe("every word of the interface comes from the catalogue", () => {
  const components = sources.filter((path) => path.endsWith(".svelte"));
  it.each(components.map((path) => [short(path), path]))("%s", (_, path) => {
    expect(literals(parse(readFileSync(path, "utf8"), { modern: true }).fragment)).toEqual([]);
  });

  it("and the check sees a word that does not", () => {
    const page = '<p title="Hello there">{name} says <b>hi</b></p>';
    expect(literals(parse(page, { modern: true }).fragment)).toEqual(["Hello there", "says", "hi"]);
  });
});

describe("the pages know no channel", () => {
  const plugins = resolve(root, "../plugins");
  const installed = existsSync(plugins)
    ? readdirSync(plugins, { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .flatMap((entry) => entry.name.split("-"))
    : [];
  const general = ["portal", "email", "mail", "voice", "webhook", "channel", "channels"];
  const names = new Set(
    [
      ...installed,
      ...["twilio", "whatsapp", "telegram", "messenger", "sendgrid", "mailgun", "vonage", "viber"],
      ...["signalwire", "simulator", "sms", "mms", "imap", "smtp", "instagram", "facebook"],
    ].filter((name) => name.length > 2 && !general.includes(name)),
  );
  /** The rule by which a text is counted has the name the server gives it. */
  const rule = /counter === "sms"/g;
  const pages = [...sources, join(root, "index.html")];

  it.each(pages.map((path) => [short(path), path]))("%s", (_, path) => {
    const words = readFileSync(path, "utf8").replace(rule, "").toLowerCase();
    const found = [...names].filter((name) => new RegExp(`(?<![a-z])${name}(?![a-z])`).test(words));
    expect(found).toEqual([]);
  });
});

describe("the catalogue has no word too many", () => {
  const text = sources
    .filter((path) => !/(strings|words)\.en\.ts$/.test(path))
    .map((path) => readFileSync(path, "utf8"))
    .join("\n");

  /** Shorter names that pages give to parts of a catalogue. */
  const names = [...text.matchAll(/const (\w+) = (t(?:\.\w+)+);/g)];
  const namesOf = (part: string) => [
    part,
    ...names.flatMap(([, name, of]) => (of === part ? [String(name)] : [])),
  ];

  /** Paths of a catalogue's strings; one that is asked for by a variable counts as used. */
  function unused(catalogue: object, path: string[] = []): string[] {
    return Object.entries(catalogue).flatMap(([key, value]: [string, unknown]) => {
      if (typeof value === "object" && value !== null && !Array.isArray(value))
        return unused(value, [...path, key]);
      const parent = ["t", ...path].join(".");
      const short = path.join(".") === "keys" && text.includes(`k.${key}`);
      const shown = namesOf(parent).some(
        (part) => text.includes(`${part}.${key}`) || text.includes(`${part}[`),
      );
      return short || shown ? [] : [`${parent}.${key}`];
    });
  }

  it("every string is shown somewhere", () => {
    const sections = Object.values(apart).flatMap((section) => unused(section.en));
    expect([...unused(en), ...unused(words), ...sections]).toEqual([]);
  });
});
