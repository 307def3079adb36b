/** What the list needs when it is narrowed, or has nothing to show. */
export { default as Chips } from "./Chips.svelte";
export { default as NoRows } from "./NoRows.svelte";
