import type { Plugin } from "vite";

/** What Svelte asks of variables as it runs, and what never changes in pages that no server drew. */
const flags: Record<string, string[]> = {
  "internal/flags/index.js": ["async_mode_flag", "legacy_mode_flag", "tracing_mode_flag"],
  "internal/client/dom/hydration.js": ["hydrating"],
};

/** What does nothing unless a server drew the page; compiled components are full of it. */
const idle = ["reset", "next", "remove_input_defaults", "remove_textarea_child", "replay_events"];

/**
 * Makes Svelte's flags constants, so that what only other settings of them need is left out:
 * taking over a page that a server drew, components of older versions, and awaiting in markup.
 */
export function constantFlags(): Plugin {
  return {
    name: "constant-flags",
    apply: "build",
    config: () => ({
      build: {
        rolldownOptions: {
          treeshake: { manualPureFunctions: idle.map((name) => `$.${name}`) },
        },
      },
    }),
    transform(code, id) {
      const [, names = []] =
        Object.entries(flags).find(([path]) => id.endsWith(`/svelte/src/${path}`)) ?? [];
      if (names.length === 0) return undefined;
      for (const name of names) {
        if (!code.includes(`export let ${name} = false;`))
          this.error(`Svelte has no flag ${name} any more: see build/constant-flags.ts`);
        code = code
          .replace(`export let ${name} =`, `export const ${name} =`)
          .replaceAll(new RegExp(`^\\s*${name} = \\w+;$`, "gm"), "");
      }
      return { code, map: null };
    },
  };
}
