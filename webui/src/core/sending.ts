import { addressesIn, copiesOf, isUsable, modeOf, optimisticEntry } from "./compose";
import { NOTE, type Draft, type DraftTemplate, type DraftText } from "./drafts";
import type { StartBody } from "./http";
import type { Inbox } from "./inbox";
import { faultsOf, isPassing, reasonOf, Refused } from "./problem";
import { sendsHow } from "./rights";
import { t } from "./strings";
import type { Thread } from "./thread";

const LONGEST_WAIT = 30_000;

interface Sending {
  thread: string;
  draft: Draft;
  content: DraftText;
  key: string;
  tries: number;
}

/** What is sent of a template. */
function templateOf({ name, language, values }: DraftTemplate) {
  return { body: "", template: { name, language }, variables: { ...values } };
}

/** What is sent, again and again under one key until the server has answered. */
export class Sender {
  readonly #inbox: Inbox;
  readonly #waiting = new Map<string, { sending: Sending; cancel: () => void }>();

  constructor(inbox: Inbox) {
    this.#inbox = inbox;
  }

  /** Whether a draft could be sent as it is. */
  sendable(draft: Draft): boolean {
    const { text, files, template } = draft.content.get();
    if (template) return Object.values(template.values).every((value) => value.trim() !== "");
    if (files.some((file) => file.state !== "ready")) return false;
    return text.trim() !== "" || (files.length > 0 && draft.mode !== NOTE);
  }

  /** Sends a draft: in the thread at once, out of the field at once, and back if it is refused. */
  send(thread: Thread, draft: Draft): boolean {
    const detail = thread.detail.get();
    if (detail?.contact.id !== draft.contact || !this.sendable(draft)) return false;
    const mode = modeOf(detail, draft.mode);
    const { template } = draft.content.get();
    if (draft.mode !== NOTE && !(template ? isUsable(mode) : mode?.can_send)) return false;
    const content = draft.take();
    const key = content.key ?? this.#inbox.ports.uuid();
    const own = content.own ?? mode?.own[0]?.value ?? null;
    const to = content.to ?? mode?.to[0]?.value ?? null;
    thread.addPending(
      optimisticEntry({
        key,
        thread: thread.id,
        mode: draft.mode,
        author: { id: this.#inbox.organisation.member_id, name: this.#inbox.person.name },
        text: template?.text ?? content.text.trim(),
        subject: content.subject.trim() || (mode?.subject_default ?? null),
        address: to,
        own,
        attachments: content.files.flatMap((file) => file.attachment ?? []),
        cc: addressesIn(content.cc),
        bcc: addressesIn(content.bcc),
        reply: content.reply,
        channel: this.#inbox.channels.get().get(draft.mode) ?? null,
        gated: sendsHow(this.#inbox.organisation) === "gated",
        at: new Date(this.#inbox.ports.clock.now()).toISOString(),
      }),
    );
    this.#inbox.markOwn(thread.id);
    const sending = { thread: thread.id, draft, content: { ...content, to, own }, key, tries: 0 };
    this.#inbox.drafts.keepSending(draft, sending.content, key);
    void this.#deliver(sending);
    return true;
  }

  async #deliver(sending: Sending): Promise<void> {
    const { thread, draft, content, key } = sending;
    this.#waiting.delete(key);
    const org = this.#inbox.organisation.slug;
    const { http, clock, random } = this.#inbox.ports;
    const text = content.text.trim();
    try {
      const { data, position } =
        draft.mode === NOTE
          ? await http.addNote(org, thread, key, text)
          : await http.send(org, thread, key, {
              channel_id: draft.mode,
              contact_id: draft.contact,
              body: text,
              ...(content.subject.trim() ? { subject: content.subject.trim() } : {}),
              to: content.to,
              from: content.own,
              attachment_ids: content.files.flatMap((file) => file.attachment?.id ?? []),
              ...copiesOf(content),
              ...(content.reply ? { reply_to: content.reply.entry_id } : {}),
              ...(content.template ? templateOf(content.template) : {}),
            });
      this.settle(key);
      this.#inbox.drafts.dropSending(draft, key);
      this.#inbox.thread(thread).take({ ...data, idempotency_key: key }, position);
      this.#inbox.thread(thread).dropPending(key);
      // What the next answer is about is another thing now.
      if (data.subject) void this.#inbox.thread(thread).refreshDetail();
    } catch (error) {
      if (!isPassing(error)) {
        this.#returnDraft(sending, error);
        return;
      }
      // Nobody knows whether it arrived; under the same key it cannot go out twice.
      const told = error instanceof Refused && error.retryAfter !== null;
      const wait = told
        ? (error.retryAfter ?? 0) * 1_000
        : Math.min(LONGEST_WAIT, 1_000 * 2 ** sending.tries) * (1 - random() / 2);
      sending.tries += 1;
      const cancel = clock.after(wait, () => void this.#deliver(sending));
      this.#waiting.set(key, { sending, cancel });
    }
  }

  /** Nothing is sent again any more; the drafts' storage knows what was not answered. */
  stop(): void {
    for (const { cancel } of this.#waiting.values()) cancel();
  }

  /** What waited for the server goes now. */
  sendWaiting(): void {
    for (const { sending, cancel } of [...this.#waiting.values()]) {
      cancel();
      void this.#deliver(sending);
    }
  }

  /** The stream showed it: what was to be sent again is not. */
  settle(key: string): void {
    const waiting = this.#waiting.get(key);
    if (!waiting) return;
    waiting.cancel();
    this.#waiting.delete(key);
    this.#inbox.drafts.dropSending(waiting.sending.draft, key);
  }

  #returnDraft({ thread, draft, content, key }: Sending, error: unknown): void {
    this.#inbox.thread(thread).dropPending(key);
    this.#inbox.drafts.dropSending(draft, key);
    const reason = reasonOf(error);
    draft.giveBack(content, reason, null, faultsOf(error, "variables."));
    // A rule that forbids it may be new: what may be written is asked anew.
    if (error instanceof Refused) void this.#inbox.thread(thread).refreshDetail();
    if (this.#inbox.current.get() === thread) return;
    const who = this.#inbox.rows.get(thread)?.contact.display ?? "";
    this.#inbox.toasts.add(t.composer.notSentTo(who, reason));
  }

  /**
   * Sends the first message to an address; answers the conversation, or why not, and whether it may
   * have gone out all the same.
   */
  async startConversation(
    key: string,
    body: StartBody,
  ): Promise<{ thread: string } | { refusal: string; unsure: boolean }> {
    try {
      const { data, position } = await this.#inbox.ports.http.start(
        this.#inbox.organisation.slug,
        key,
        body,
      );
      this.#inbox.learnEntry(data, position);
      return { thread: data.thread_id };
    } catch (error) {
      return { refusal: reasonOf(error), unsure: isPassing(error) };
    }
  }
}
