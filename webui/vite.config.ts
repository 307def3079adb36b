import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vitest/config";

import { chunks } from "./build/chunks.ts";
import { constantFlags } from "./build/constant-flags.ts";
import { headScript } from "./build/head-script.ts";

const hub = process.env["HUB_URL"] ?? "http://127.0.0.1:8000";

export default defineConfig({
  plugins: [constantFlags(), svelte(), headScript("src/theme-boot.js")],
  build: {
    target: ["chrome120", "firefox121", "safari17.2"],
    manifest: true,
    modulePreload: { polyfill: false },
    rolldownOptions: { output: { codeSplitting: { groups: chunks } } },
  },
  server: {
    proxy: Object.fromEntries(
      ["/api", "/hooks", "/pages"].map((path) => [path, { target: hub, ws: true }]),
    ),
  },
  resolve: process.env["VITEST"] ? { conditions: ["browser"] } : {},
  test: {
    restoreMocks: true,
    projects: [
      {
        // Logic and texts: no page is needed, and so none is made.
        extends: true,
        test: {
          name: "core",
          environment: "node",
          // Nothing of it keeps anything between tests: its modules are loaded once for all files.
          isolate: false,
          include: ["src/core/**/*.test.ts", "tests/**/*.test.ts"],
        },
      },
      {
        extends: true,
        test: {
          name: "page",
          environment: "jsdom",
          include: ["src/**/*.test.ts"],
          exclude: ["src/core/**"],
          setupFiles: ["tests/setup.ts"],
        },
      },
    ],
    coverage: {
      provider: "v8",
      include: ["src/core/**/*.ts"],
      exclude: ["src/core/**/*.test.ts", "src/core/api.d.ts", "src/core/wire.ts"],
      reporter: ["text-summary", "text"],
      thresholds: { lines: 100 },
    },
  },
});
