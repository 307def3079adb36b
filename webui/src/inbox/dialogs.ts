/** What is asked in dialogs of an open conversation. One file: they are alike. */
export { default as CallDialog } from "./CallDialog.svelte";
export { default as ContactDialog } from "./ContactDialog.svelte";
export { default as CorrectNote } from "./CorrectNote.svelte";
export { default as MoveCall } from "./MoveCall.svelte";
export { default as ResolveDialog } from "./ResolveDialog.svelte";
