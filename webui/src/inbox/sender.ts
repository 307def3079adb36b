import type { Inbox } from "../core/inbox";
import { t } from "../core/words";
import type { Entry } from "../core/wire";
import { live } from "../live.svelte";

/** Who an entry is from, as its conversation calls them. */
export function senderOf(inbox: Inbox, entry: Entry): string {
  const { kind, id, name } = entry.author;
  if (kind === "member" && id === inbox.organisation.member_id) return t.thread.you;
  if (kind === "contact")
    return name ?? live(inbox.rows.at(entry.thread_id))?.contact.display ?? t.thread.withheld;
  return name ?? (kind === "elsewhere" ? t.thread.elsewhere : t.thread.automatic);
}
