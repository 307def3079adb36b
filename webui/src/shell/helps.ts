/** What helps to find one's way. One file: its parts share most of what they need. */
export { default as OtherOrganisation } from "./OtherOrganisation.svelte";
export { default as Palette } from "./Palette.svelte";
export { default as ShortcutSheet } from "./ShortcutSheet.svelte";
export { default as Tour } from "./Tour.svelte";
