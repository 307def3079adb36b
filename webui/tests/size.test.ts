import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { gzipSync } from "node:zlib";

import { describe, expect, it } from "vitest";

interface Chunk {
  file: string;
  isEntry?: boolean;
  imports?: string[];
  dynamicImports?: string[];
  css?: string[];
}

const dist = resolve(import.meta.dirname, "../dist");
const manifest = JSON.parse(readFileSync(`${dist}/.vite/manifest.json`, "utf8")) as Record<
  string,
  Chunk
>;

const kilobytes = (files: Iterable<string>) =>
  [...files].reduce((sum, file) => sum + gzipSync(readFileSync(`${dist}/${file}`)).length, 0) /
  1000;

/** Pages that few people open, each fetched when somebody goes there. */
const pages = Object.keys(manifest).filter((key) =>
  /^src\/((approvals|settings)\/|account\/(\w+Page|SecondStep|PasskeyButton|NewPassword)\.svelte$)/.test(
    key,
  ),
);

/**
 * A chunk and everything it cannot run without; with `later`, what it may fetch as well, but for
 * pages of their own.
 */
function reach(key: string, later: boolean, seen = new Set<string>()): Set<string> {
  if (seen.has(key) || (seen.size > 0 && pages.includes(key))) return seen;
  seen.add(key);
  const chunk = manifest[key];
  for (const next of [...(chunk?.imports ?? []), ...(later ? (chunk?.dynamicImports ?? []) : [])])
    reach(next, later, seen);
  return seen;
}

const entry = Object.keys(manifest).find((key) => manifest[key]?.isEntry) ?? "";
const scriptsOf = (keys: Iterable<string>) =>
  [...keys].map((key) => manifest[key]?.file ?? "").filter((file) => file.endsWith(".js"));
const stylesOf = (keys: Iterable<string>) =>
  new Set([...keys].flatMap((key) => manifest[key]?.css ?? []));
const scripts = (later: boolean) => scriptsOf(reach(entry, later));
const styles = (later: boolean) => stylesOf(reach(entry, later));
const shell = "src/settings/SettingsPage.svelte";
/** What a page fetches that is not there already; a section's own is shown inside of another. */
const onTop = (page: string) => {
  const isSection = page.startsWith("src/settings/") && page.split("/").length > 3;
  const there = new Set([...reach(entry, true), ...(isSection ? reach(shell, true) : [])]);
  return [...reach(page, true)].filter((key) => !there.has(key));
};

/** What is fetched and what it weighs, printed for whoever wants to know how much room is left. */
function weighed(what: string, files: Iterable<string>): number {
  const weight = kilobytes(files);
  process.stdout.write(`${what}: ${weight.toFixed(1)} kB\n`);
  return weight;
}

describe("what a browser has to fetch, gzip", () => {
  it("is at most 72 kB of script before first paint", () => {
    expect(weighed("script before first paint", scripts(false))).toBeLessThan(72);
  });

  it("is at most 134 kB of script for the whole inbox", () => {
    expect(weighed("script of the whole inbox", scripts(true))).toBeLessThan(134);
  });

  it("is at most 8 kB of style before first paint", () => {
    expect(weighed("style before first paint", styles(false))).toBeLessThan(8);
  });

  it("is at most 17 kB of style for the whole inbox", () => {
    expect(weighed("style of the whole inbox", styles(true))).toBeLessThan(17);
  });
});

describe.each(pages)("what %s fetches on top, gzip", (page) => {
  it("is at most 17 kB of script", () => {
    expect(kilobytes(scriptsOf(onTop(page)))).toBeLessThan(17);
  });

  it("is at most 2 kB of style", () => {
    expect(kilobytes(stylesOf(onTop(page)))).toBeLessThan(2);
  });
});

describe("the page", () => {
  const html = readFileSync(`${dist}/index.html`, "utf8");

  it("has no script or style of its own, so that the strictest policy holds", () => {
    expect(html).not.toMatch(/<script(?![^>]*\ssrc=)/);
    expect(html).not.toMatch(/<style|\sstyle=|\son\w+=/);
  });

  it("fetches only files whose names change with their content", () => {
    const fetched = [...html.matchAll(/(?:src|href)="(\/[^"]+)"/g)].map(([, path]) => path ?? "");
    expect(fetched.length).toBeGreaterThan(2);
    const asked = fetched.filter((path) => !/^\/assets\/[\w-]+-[\w-]{8}\.\w+$/.test(path));
    expect(asked, "besides who is there").toEqual(["/api/v1/me"]);
  });

  it("lies compressed beside itself", () => {
    const later = pages.flatMap(onTop);
    const files = [...scripts(true), ...styles(true), ...scriptsOf(later), ...stylesOf(later)];
    for (const file of ["index.html", ...files])
      for (const packed of [".gz", ".br"])
        expect(readFileSync(`${dist}/${file}${packed}`).length).toBeGreaterThan(0);
  });
});
