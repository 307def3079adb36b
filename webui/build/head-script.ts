import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { transformWithOxc, type Plugin } from "vite";

/**
 * Puts a small classic script first in the page's head, as a hashed file of its own.
 *
 * It must run before first paint, which a module cannot, and a content security policy of
 * `script-src 'self'` allows no inline script.
 */
export function headScript(path: string): Plugin {
  let base = "/";
  let building = false;
  let emitted = "";
  return {
    name: "head-script",
    configResolved(config) {
      base = config.base;
      building = config.command === "build";
    },
    async buildStart() {
      if (!building) return;
      const { code } = await transformWithOxc(readFileSync(path, "utf8"), path);
      const source = code.replace(/\n\s*/g, "");
      const hash = createHash("sha256").update(source).digest("base64url").slice(0, 8);
      emitted = `assets/${basename(path, ".js")}-${hash}.js`;
      this.emitFile({ type: "asset", fileName: emitted, source });
    },
    transformIndexHtml: () => [
      {
        tag: "script",
        attrs: { src: base + (building ? emitted : path) },
        injectTo: "head-prepend",
      },
    ],
  };
}
