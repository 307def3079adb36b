import type { Rolldown } from "vite";

/**
 * Few files instead of many: what is packed together is packed smaller, and is fetched with fewer
 * questions. Pages of their own stay apart, each with what only it needs.
 */
export const chunks: Rolldown.CodeSplittingGroup[] = [
  // What first paint needs.
  { name: "first", tags: ["$initial"], priority: 3 },
  // What the home page and the list show right after it, whether or not the rest can be fetched.
  {
    name: "near",
    test: /\/src\/(shell\/Home|inbox\/(MoreFilters|noRows|RowActions)|ui\/Menu|alerting)\.(svelte|ts)$/,
    priority: 2,
  },
  // An open conversation.
  { name: "opened", test: /\/src\/inbox\/opened\.ts$/, priority: 1 },
  // What else is fetched when the page is idle.
  { name: idle },
];

function idle(...[id, modules]: Parameters<Rolldown.CodeSplittingNameFunction>) {
  const by = modules.getModuleInfo(id)?.dynamicImporters ?? [];
  return by.some((file) => file.endsWith("/src/later.ts")) ? "idle" : null;
}
