import type { Rolldown } from "vite";

type Named = Rolldown.CodeSplittingNameFunction;

/**
 * Few files instead of many: what is packed together is packed smaller, and is fetched with fewer
 * questions. What first paint needs is one, an open conversation one, and what is fetched when the
 * page is idle another. Pages of their own stay apart, each with what only it needs.
 */
const idle: Named = (id, modules) =>
  modules.getModuleInfo(id)?.dynamicImporters.some((by) => by.endsWith("/src/later.ts"))
    ? "idle"
    : null;

export const chunks: Rolldown.CodeSplittingGroup[] = [
  { name: "first", tags: ["$initial"], priority: 4 },
  { name: "home", test: /\/src\/shell\/Home\.svelte$/, priority: 2 },
  { name: "opened", test: /\/src\/inbox\/opened\.ts$/, priority: 1 },
  { name: idle },
];
