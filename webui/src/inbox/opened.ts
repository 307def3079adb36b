/** What an open conversation is drawn with. One file: its parts share most of what they need. */
export { default as CallPage } from "./CallPage.svelte";
export { default as Conversation } from "./Conversation.svelte";
export { default as Details } from "./Details.svelte";
