import { relative } from "node:path";

import { vitePreprocess } from "@sveltejs/vite-plugin-svelte";

export default {
  preprocess: vitePreprocess(),
  compilerOptions: {
    runes: true,
    // Short names: they stand at every element and every rule, and so in what a browser fetches.
    cssHash: ({ hash, filename }) =>
      `s${hash(relative(import.meta.dirname, filename)).slice(0, 4)}`,
  },
};
