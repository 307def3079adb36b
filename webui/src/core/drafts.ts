import { Cell, CellMap } from "./cell";
import type { Clock } from "./clock";
import type { Attachment, Quoted } from "./wire";

/** The browser's storage, or anything that keeps strings. */
export interface Storage {
  get(key: string): string | null;
  set(key: string, value: string): void;
  remove(key: string): void;
  keys(): string[];
}

export interface DraftFile {
  readonly local: string;
  readonly name: string;
  readonly size: number;
  readonly state: "uploading" | "ready" | "failed";
  /** 0 to 1 */
  readonly progress: number;
  readonly reason: string | null;
  readonly attachment: Attachment | null;
}

/** A template in place of words of one's own. */
export interface DraftTemplate {
  readonly name: string;
  readonly language: string;
  /** For each of its parameters, empty as long as there is none. */
  readonly values: Readonly<Record<string, string>>;
  /** What goes out, as far as it is known here. */
  readonly text: string;
}

export interface DraftText {
  readonly text: string;
  /** Empty as long as nobody has written one: the message then gets the one of an answer. */
  readonly subject: string;
  /** The contact's address it goes to, when one was chosen. */
  readonly to: string | null;
  /** The organisation's own address it comes from, when one was chosen. */
  readonly own: string | null;
  readonly files: readonly DraftFile[];
  /** Who gets it in copy, as it was typed: addresses with commas between. */
  readonly cc: string;
  readonly bcc: string;
  /** The message it answers, when one was named. */
  readonly reply: Quoted | null;
  readonly template: DraftTemplate | null;
  /** Kept while nothing is changed: sending the same again is then the same sending. */
  readonly key: string | null;
  /** Why the last sending was refused. */
  readonly refusal: string | null;
  /** What is wrong with which value of the template. */
  readonly faults: Readonly<Record<string, string>>;
}

const EMPTY: DraftText = {
  text: "",
  subject: "",
  to: null,
  own: null,
  files: [],
  cc: "",
  bcc: "",
  reply: null,
  template: null,
  key: null,
  refusal: null,
  faults: {},
};
const SAVE_AFTER = 300;
const KEPT_FOR = 30 * 24 * 60 * 60_000;
const PREFIX = "hub.draft/";

/** The mode of a draft that is an internal note. */
export const NOTE = "note";

/** Contact and mode of the draft of a conversation that has not begun. */
export const NEW = "new";

function isEmpty(draft: DraftText): boolean {
  return draft.text + draft.subject === "" && draft.files.length === 0 && draft.template === null;
}

/** What a person sees of a draft. */
function fingerprint({ text, subject, files, template }: DraftText): string {
  return JSON.stringify([text, subject, files.map(({ local }) => local), template]);
}

/** One draft. It belongs to one contact and one mode from its making, and to nothing else, ever. */
export class Draft {
  readonly content: Cell<DraftText>;

  constructor(
    readonly contact: string,
    readonly mode: string,
    content: DraftText,
    private readonly changed: (draft: Draft) => void,
  ) {
    this.content = new Cell(content);
  }

  get empty(): boolean {
    return isEmpty(this.content.get());
  }

  /** What a person changes; the sending it may have been part of is then another one. */
  write(
    change: Partial<
      Pick<DraftText, "text" | "subject" | "to" | "own" | "cc" | "bcc" | "reply" | "template">
    >,
  ): void {
    const faults = {};
    this.content.update((draft) => ({ ...draft, ...change, key: null, refusal: null, faults }));
    this.changed(this);
  }

  /** What the template says now: told by the server, written by nobody. */
  learnText(text: string): void {
    this.content.update((draft) => ({
      ...draft,
      template: draft.template && { ...draft.template, text },
    }));
  }

  addFile(file: DraftFile): void {
    this.content.update((draft) => ({ ...draft, files: [...draft.files, file], key: null }));
    this.changed(this);
  }

  updateFile(local: string, change: Partial<DraftFile>): void {
    this.content.update((draft) => ({
      ...draft,
      files: draft.files.map((file) => (file.local === local ? { ...file, ...change } : file)),
    }));
    this.changed(this);
  }

  removeFile(local: string): void {
    this.content.update((draft) => ({
      ...draft,
      files: draft.files.filter((file) => file.local !== local),
      key: null,
    }));
    this.changed(this);
  }

  /**
   * Takes the content out, to be sent; the field is empty in the same moment. A template goes
   * without the words and files that wait beside it: they stay.
   */
  take(): DraftText {
    const { text, subject, to, own, files, cc, bcc, ...rest } = this.content.get();
    const stays = rest.template === null ? EMPTY : { ...EMPTY, text, subject, files, cc, bcc };
    this.content.set({ ...stays, to, own });
    this.changed(this);
    return rest.template === null
      ? { text, subject, to, own, files, cc, bcc, ...rest }
      : { ...EMPTY, to, own, ...rest };
  }

  /** Puts back what was taken, before anything written since. */
  giveBack(
    taken: DraftText,
    refusal: string | null,
    key: string | null,
    faults: Readonly<Record<string, string>> = {},
  ): void {
    this.content.update((draft) => ({
      text: isEmpty(draft) ? taken.text : [taken.text, draft.text].filter(Boolean).join("\n"),
      subject: draft.subject || taken.subject,
      files: [...taken.files, ...draft.files],
      to: draft.to ?? taken.to,
      own: draft.own ?? taken.own,
      cc: draft.cc || taken.cc,
      bcc: draft.bcc || taken.bcc,
      reply: draft.reply ?? taken.reply,
      template: draft.template ?? taken.template,
      key: isEmpty(draft) ? key : null,
      refusal,
      faults,
    }));
    this.changed(this);
  }
}

interface Stored {
  contact: string;
  /** Their conversation, if it was open. */
  thread?: string | undefined;
  mode: string;
  text: string;
  subject?: string;
  to: string | null;
  own: string | null;
  files: DraftFile[];
  cc?: string;
  bcc?: string;
  reply?: Quoted | null;
  template?: DraftTemplate | null;
  key: string | null;
  at: number;
}

/** Every draft of one person in one organisation, kept in the browser. */
export class Drafts {
  readonly #drafts = new Map<string, Draft>();
  readonly #waiting = new CellMap<string, Draft | null>((contact) => this.#firstWaiting(contact));
  readonly #unsaved = new Map<string, () => void>();
  readonly #prefix: string;
  /** The keys of those that were last written in here, and not in another tab. */
  readonly #written = new Set<string>();
  /** Of contacts, as far as theirs was open. */
  readonly #threads = new Map<string, string>();

  constructor(
    person: string,
    organisation: string,
    private readonly storage: Storage,
    private readonly clock: Clock,
  ) {
    this.#prefix = `${PREFIX}${person}/${organisation}/`;
    this.#load();
  }

  /** The draft of a contact and a mode; always the same object. */
  open(contact: string, mode: string): Draft {
    return this.#make(contact, mode, EMPTY);
  }

  /** The draft that waits for a contact, if any: shown in the list, and opened first. */
  waiting(contact: string): Cell<Draft | null> {
    return this.#waiting.at(contact);
  }

  /** With whom a conversation is: one that is out of reach does not say so any more. */
  belong(contact: string, thread: string): void {
    this.#threads.set(contact, thread);
  }

  /** The drafts for whom a conversation was with. */
  leftIn(thread: string): Draft[] {
    return [...this.#drafts.values()].filter(
      (draft) => this.#threads.get(draft.contact) === thread,
    );
  }

  /**
   * Another tab has kept or sent a draft. Where it stood here in the same words it does so again,
   * but for words of this tab's that the other one does not have: they stay, and are kept.
   */
  heard(key: string, before: string | null, now: string | null): void {
    if (!key.startsWith(this.#prefix)) return;
    const [was, is] = [parse(before), parse(now)];
    const { contact, mode } = is ?? was ?? {};
    if (contact === undefined || mode === undefined || key !== this.#key(contact, mode)) return;
    const draft = this.open(contact, mode);
    const { text } = draft.content.get();
    const same = fingerprint(draft.content.get()) === fingerprint(contentOf(was));
    if (same && (!is || !this.#written.has(key) || is.text.includes(text))) {
      draft.content.set(contentOf(is));
      this.#written.delete(key);
      this.#waiting.at(contact).set(this.#firstWaiting(contact));
    } else if (!is) this.#changed(key, draft);
  }

  /** Writes down what is not written down yet: when the page hides, or a field loses focus. */
  flush(): void {
    for (const [key, cancel] of this.#unsaved) {
      cancel();
      this.#save(key);
    }
    this.#unsaved.clear();
  }

  /** Keeps what is being sent until the server has it: a reload brings it back. */
  keepSending(draft: Draft, content: DraftText, key: string): void {
    this.storage.set(
      `${this.#key(draft.contact, draft.mode)}/${key}`,
      JSON.stringify(this.#stored(draft, { ...content, key })),
    );
  }

  dropSending(draft: Draft, key: string): void {
    this.storage.remove(`${this.#key(draft.contact, draft.mode)}/${key}`);
  }

  /** Removes every draft of this person in this organisation: they signed out. */
  forget(): void {
    for (const cancel of this.#unsaved.values()) cancel();
    this.#unsaved.clear();
    for (const key of this.storage.keys())
      if (key.startsWith(this.#prefix)) this.storage.remove(key);
    this.#drafts.clear();
  }

  #key(contact: string, mode: string): string {
    return `${this.#prefix}${encodeURIComponent(contact)}/${encodeURIComponent(mode)}`;
  }

  #make(contact: string, mode: string, content: DraftText): Draft {
    const key = this.#key(contact, mode);
    let draft = this.#drafts.get(key);
    if (!draft) {
      draft = new Draft(contact, mode, content, (changed) => {
        this.#changed(key, changed);
      });
      this.#drafts.set(key, draft);
    }
    return draft;
  }

  #changed(key: string, draft: Draft): void {
    this.#written.add(key);
    this.#waiting.at(draft.contact).set(this.#firstWaiting(draft.contact));
    this.#unsaved.get(key)?.();
    this.#unsaved.set(
      key,
      this.clock.after(SAVE_AFTER, () => {
        this.#unsaved.delete(key);
        this.#save(key);
      }),
    );
  }

  #firstWaiting(contact: string): Draft | null {
    for (const draft of this.#drafts.values())
      if (draft.contact === contact && !draft.empty) return draft;
    return null;
  }

  #stored(draft: Draft, content: DraftText): Stored {
    const { text, subject, to, own, cc, bcc, reply, template, key } = content;
    const files = content.files.filter((file) => file.state === "ready");
    return {
      contact: draft.contact,
      thread: this.#threads.get(draft.contact),
      mode: draft.mode,
      text,
      subject,
      to,
      own,
      files,
      cc,
      bcc,
      reply,
      template,
      key,
      at: this.clock.now(),
    };
  }

  #save(key: string): void {
    const draft = this.#drafts.get(key);
    if (!draft) return;
    const content = draft.content.get();
    if (isEmpty(content)) this.storage.remove(key);
    else this.storage.set(key, JSON.stringify(this.#stored(draft, content)));
  }

  #load(): void {
    for (const key of this.storage.keys().sort()) {
      if (!key.startsWith(PREFIX)) continue;
      const stored = parse(this.storage.get(key));
      if (!stored || this.clock.now() - stored.at > KEPT_FOR) {
        this.storage.remove(key);
        continue;
      }
      if (!key.startsWith(this.#prefix)) continue;
      const { contact, mode, thread } = stored;
      if (thread !== undefined) this.belong(contact, thread);
      const content = contentOf(stored);
      if (key === this.#key(contact, mode)) {
        this.#make(contact, mode, content);
        continue;
      }
      // It was being sent when the page went away: back it comes, under the key it was sent with.
      this.#make(contact, mode, EMPTY).giveBack(content, null, stored.key);
      this.storage.remove(key);
    }
  }
}

/** What was kept; of nothing, what an empty draft has. */
function contentOf(stored: Stored | null): DraftText {
  if (!stored) return EMPTY;
  const { text, subject = "", to, own, files, key } = stored;
  const { reply = null, template = null, cc = "", bcc = "" } = stored;
  return { ...EMPTY, text, subject, to, own, files, cc, bcc, reply, template, key };
}

function parse(text: string | null): Stored | null {
  try {
    const stored = JSON.parse(text ?? "null") as Partial<Stored> | null;
    return stored && typeof stored.text === "string" && typeof stored.at === "number"
      ? (stored as Stored)
      : null;
  } catch {
    return null;
  }
}
