import { NOTE, type DraftText } from "./drafts";
import { t } from "./strings";
import type { Attachment, Channel, ComposeMode, Entry, Quoted, ThreadDetail } from "./wire";

/** Whether anything can go out on a mode now, if only a template. */
export function isUsable(mode: ComposeMode | null | undefined): boolean {
  return mode?.can_send === true || mode?.may === "template";
}

/** The mode a composer opens with: a waiting draft's, then the customer's channel, then any. */
export function openingMode(detail: ThreadDetail, waiting: string | null): string {
  if (waiting !== null && (waiting === NOTE || modeOf(detail, waiting))) return waiting;
  const last = modeOf(detail, detail.default_channel_id);
  if (last && isUsable(last)) return last.channel_id;
  const free = detail.compose.find((mode) => mode.can_send);
  return (free ?? detail.compose.find(isUsable))?.channel_id ?? NOTE;
}

/** Whether there is nothing in a conversation but calls. */
export function isVoiceOnly(
  channelIds: readonly string[],
  channels: ReadonlyMap<string, Channel>,
): boolean {
  const groups = channelIds.map((id) => channels.get(id)?.group);
  return groups.length > 0 && groups.every((group) => group === "calls");
}

export function modeOf(detail: ThreadDetail, channelId: string | null): ComposeMode | null {
  return detail.compose.find((mode) => mode.channel_id === channelId) ?? null;
}

/** The addresses of a field that holds several, each once. */
export function addressesIn(typed: string): string[] {
  const found = typed.split(/[,;\n]+/u).map((one) => one.trim());
  return [...new Set(found.filter(Boolean))];
}

/** Who gets a message in copy, where anybody does. */
export function copiesOf(content: DraftText): { cc?: string[]; bcc?: string[] } {
  const [cc, bcc] = [addressesIn(content.cc), addressesIn(content.bcc)];
  return { ...(cc.length > 0 ? { cc } : {}), ...(bcc.length > 0 ? { bcc } : {}) };
}

const HOUR = 60;

/** How long anything may still be written on a mode, or `null` where that has no end. */
export function windowOf(
  mode: ComposeMode,
  now: number,
): { left: string; soon: boolean; over: boolean } | null {
  if (mode.may !== "free" || mode.until === null) return null;
  const minutes = Math.ceil((Date.parse(mode.until) - now) / 60_000);
  const left = t.time.lasts(Math.floor(minutes / HOUR), minutes % HOUR);
  return { left, soon: minutes <= HOUR, over: minutes <= 0 };
}

/** Why a file cannot go out on a channel, or `null` when it can. The server checks it again. */
export function refuseFile(
  file: { name: string; size: number; type: string },
  already: readonly { size: number }[],
  channel: Channel | null,
): string | null {
  if (!channel?.media_out) return t.composer.files.none;
  const { media_max_count: most, media_max_bytes: largest, media_max_total: total } = channel;
  if (most !== null && already.length >= most) return t.composer.files.tooMany(most);
  if (largest !== null && file.size > largest) return t.composer.files.tooLarge(file.name, largest);
  const whole = already.reduce((sum, { size }) => sum + size, file.size);
  if (total !== null && whole > total) return t.composer.files.tooMuch(file.name, total);
  return carries(channel, file.type) ? null : t.composer.files.wrongType(file.name);
}

/** Whether a channel takes files of a type. */
export function carries({ media_types: types }: Channel, type: string): boolean {
  const fits = (pattern: string) =>
    pattern.endsWith("/*") ? type.startsWith(pattern.slice(0, -1)) : type === pattern;
  return types.length === 0 || types.some(fits);
}

/** The entry that stands in the thread from the moment of sending until the real one is here. */
export function optimisticEntry(sent: {
  key: string;
  thread: string;
  mode: string;
  author: { id: string; name: string };
  text: string;
  subject: string | null;
  address: string | null;
  own: string | null;
  attachments: Attachment[];
  cc: string[];
  bcc: string[];
  reply: Quoted | null;
  channel: Channel | null;
  /** Whether it waits for somebody's approval. */
  gated: boolean;
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
    subject: sent.subject,
    blocks: [],
    attachments: sent.attachments,
    event: null,
    status: note ? null : sent.gated ? "pending_approval" : "pending",
    status_reason: null,
    status_at: sent.at,
    can_cancel: false,
    can_retry: false,
    can_resolve: false,
    occurred_at: sent.at,
    sort_at: sent.at,
    idempotency_key: sent.key,
    warnings: [],
    template: null,
    answers: sent.reply,
    edited_at: null,
    wordings: [],
    deleted_at: null,
    reactions: [],
    engagement: null,
    call: null,
    approval: null,
    mentions: [],
    cc: sent.cc,
    bcc: sent.bcc,
  };
}
