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

/** A chunk and everything it cannot run without; with `later`, what it may fetch as well. */
function reach(key: string, later: boolean, seen = new Set<string>()): Set<string> {
  if (seen.has(key)) return seen;
  seen.add(key);
  const chunk = manifest[key];
  for (const next of [...(chunk?.imports ?? []), ...(later ? (chunk?.dynamicImports ?? []) : [])])
    reach(next, later, seen);
  return seen;
}

const entry = Object.keys(manifest).find((key) => manifest[key]?.isEntry) ?? "";
const scripts = (later: boolean) =>
  [...reach(entry, later)]
    .map((key) => manifest[key]?.file ?? "")
    .filter((file) => file.endsWith(".js"));
const styles = new Set([...reach(entry, true)].flatMap((key) => manifest[key]?.css ?? []));

describe("what a browser has to fetch, gzip", () => {
  it("is at most 90 kB of script before first paint", () => {
    expect(kilobytes(scripts(false))).toBeLessThan(90);
  });

  it("is at most 150 kB of script in all", () => {
    expect(kilobytes(scripts(true))).toBeLessThan(150);
  });

  it("is at most 12 kB of style", () => {
    expect(kilobytes(styles)).toBeLessThan(12);
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
    for (const path of fetched) expect(path).toMatch(/^\/assets\/[\w-]+-[\w-]{8}\.\w+$/);
  });

  it("lies compressed beside itself", () => {
    for (const file of ["index.html", ...scripts(true), ...styles])
      for (const packed of [".gz", ".br"])
        expect(readFileSync(`${dist}/${file}${packed}`).length).toBeGreaterThan(0);
  });
});
