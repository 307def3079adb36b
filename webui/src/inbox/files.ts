import type { Draft } from "../core/drafts";
import type { Inbox } from "../core/inbox";

/** Files that were picked, pasted or dropped, into the draft that is open. */
export function attachTo(inbox: Inbox, draft: Draft, files: readonly File[]): void {
  for (const file of files)
    inbox.uploads.attach(draft, { blob: file, name: file.name, size: file.size, type: file.type });
}

/** Pasted files go to the draft; pasted words go where they were pasted. */
export function pasteInto(inbox: Inbox, draft: Draft, event: ClipboardEvent): void {
  const files = [...(event.clipboardData?.files ?? [])];
  if (files.length === 0) return;
  event.preventDefault();
  attachTo(inbox, draft, files);
}
