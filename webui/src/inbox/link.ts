import type { Inbox } from "../core/inbox";
import { formatPlace } from "../core/place";
import { defaultScope } from "../core/scope";
import { t } from "../core/words";

/** Copies the address that leads to a conversation, or to one of its entries. */
export async function copyLink(
  inbox: Inbox,
  conversation: string,
  entry: string | null = null,
): Promise<void> {
  const place = { page: "messages", scope: defaultScope, conversation, entry } as const;
  await navigator.clipboard.writeText(location.origin + formatPlace(place));
  inbox.toasts.add(t.entry.linkCopied);
}
