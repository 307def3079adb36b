import js from "@eslint/js";
import svelte from "eslint-plugin-svelte";
import globals from "globals";
import ts from "typescript-eslint";

import svelteConfig from "./svelte.config.js";

const dom = ["document", "window", "localStorage", "sessionStorage", "navigator", "location"];

export default ts.config(
  { ignores: ["dist", "coverage", "src/core/api.d.ts"] },
  js.configs.recommended,
  ...ts.configs.strict,
  ...svelte.configs.recommended,
  {
    languageOptions: { globals: { ...globals.browser } },
    rules: {
      "@typescript-eslint/consistent-type-imports": "error",
      "no-console": "error",
      eqeqeq: "error",
    },
  },
  {
    files: ["**/*.svelte", "**/*.svelte.ts"],
    languageOptions: {
      parserOptions: { parser: ts.parser, extraFileExtensions: [".svelte"], svelteConfig },
    },
    rules: {
      "svelte/no-at-html-tags": "error",
      "svelte/button-has-type": "error",
      "svelte/require-each-key": "error",
      "svelte/no-inline-styles": "off",
      "prefer-const": "off",
      "svelte/prefer-const": "error",
    },
  },
  {
    files: ["build/**", "*.config.*", "tests/**"],
    languageOptions: { globals: { ...globals.node } },
  },
  {
    files: ["src/core/**/*.ts"],
    rules: {
      "no-restricted-globals": ["error", ...dom, "WebSocket", "XMLHttpRequest", "HTMLElement"],
      "no-restricted-imports": [
        "error",
        { patterns: ["svelte", "svelte/*", "*.svelte", "../ui/*", "../inbox/*", "../settings/*"] },
      ],
    },
  },
  {
    files: ["src/ui/**"],
    rules: { "no-restricted-imports": ["error", { patterns: ["../inbox/*", "../settings/*"] }] },
  },
);
