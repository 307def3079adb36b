import { NOTE } from "./drafts";
import { t } from "./strings";
import type { Attachment, Channel, ComposeMode, Entry, ThreadDetail } from "./wire";

/** The mode a composer opens with: a waiting draft's, then the customer's channel, then any. */
export function openingMode(detail: ThreadDetail, waiting: string | null): string {
  if (waiting !== null && (waiting === NOTE || modeOf(detail, waiting))) return waiting;
  const last = modeOf(detail, detail.default_channel_id);
  if (last?.can_send) return last.channel_id;
  return detail.compose.find((mode) => mode.can_send)?.channel_id ?? NOTE;
}

export function modeOf(detail: ThreadDetail, channelId: string | null): ComposeMode | null {
  return detail.compose.find((mode) => mode.channel_id === channelId) ?? null;
}

/** Why a file cannot go out on a channel, or `null` when it can. The server checks it again. */
export function refuseFile(
  file: { name: string; size: number; type: string },
  already: number,
  channel: Channel | null,
): string | null {
  if (!channel?.media_out) return t.composer.files.none;
  const { media_max_count: most, media_max_bytes: largest, media_types: types } = channel;
  if (most !== null && already >= most) return t.composer.files.tooMany(most);
  if (largest !== null && file.size > largest) return t.composer.files.tooLarge(file.name, largest);
  const fits = (pattern: string) =>
    pattern.endsWith("/*") ? file.type.startsWith(pattern.slice(0, -1)) : file.type === pattern;
  if (types.length > 0 && !types.some(fits)) return t.composer.files.wrongType(file.name);
  return null;
}

/** The entry that stands in the thread from the moment of sending until the real one is here. */
export function optimisticEntry(sent: {
  key: string;
  thread: string;
  mode: string;
  author: { id: string; name: string };
  text: string;
  address: string | null;
  own: string | null;
  attachments: Attachment[];
  channel: Channel | null;
  at: string;
}): Entry {
  const note = sent.mode === NOTE;
  return {
    id: `sending-${sent.key}`,
    thread_id: sent.thread,
    kind: note ? "note" : "message",
    group: note ? "notes" : (sent.channel?.group ?? "texts"),
    direction: note ? "internal" : "out",
    author: { kind: "member", ...sent.author },
    channel_id: note ? null : sent.mode,
    address: sent.address,
    own_address: sent.own,
    text: sent.text,
    subject: null,
    blocks: [],
    attachments: sent.attachments,
    event: null,
    status: note ? null : "pending",
    status_reason: null,
    status_at: sent.at,
    can_cancel: false,
    can_retry: false,
    can_resolve: false,
    occurred_at: sent.at,
    sort_at: sent.at,
    idempotency_key: sent.key,
    warnings: [],
  };
}
