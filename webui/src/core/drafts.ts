import { Cell, CellMap } from "./cell";
import type { Clock } from "./clock";
import type { Attachment } from "./wire";

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

export interface DraftText {
  readonly text: string;
  /** The contact's address it goes to, when one was chosen. */
  readonly to: string | null;
  /** The organisation's own address it comes from, when one was chosen. */
  readonly own: string | null;
  readonly files: readonly DraftFile[];
  /** Kept while nothing is changed: sending the same again is then the same sending. */
  readonly key: string | null;
  /** Why the last sending was refused. */
  readonly refusal: string | null;
}

const EMPTY: DraftText = { text: "", to: null, own: null, files: [], key: null, refusal: null };
const SAVE_AFTER = 300;
const KEPT_FOR = 30 * 24 * 60 * 60_000;
const PREFIX = "hub.draft/";

/** The mode of a draft that is an internal note. */
export const NOTE = "note";

/** Contact and mode of the draft of a conversation that has not begun. */
export const NEW = "new";

function isEmpty(draft: DraftText): boolean {
  return draft.text === "" && draft.files.length === 0;
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
  write(change: Partial<Pick<DraftText, "text" | "to" | "own">>): void {
    this.content.update((draft) => ({ ...draft, ...change, key: null, refusal: null }));
    this.changed(this);
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

  /** Takes the content out, to be sent; the field is empty in the same moment. */
  take(): DraftText {
    const taken = this.content.get();
    this.content.set({ ...EMPTY, to: taken.to, own: taken.own });
    this.changed(this);
    return taken;
  }

  /** Puts back what was taken, before anything written since. */
  giveBack(taken: DraftText, refusal: string | null, key: string | null): void {
    this.content.update((draft) => ({
      text: isEmpty(draft) ? taken.text : [taken.text, draft.text].filter(Boolean).join("\n"),
      files: [...taken.files, ...draft.files],
      to: draft.to ?? taken.to,
      own: draft.own ?? taken.own,
      key: isEmpty(draft) ? key : null,
      refusal,
    }));
    this.changed(this);
  }
}

interface Stored {
  contact: string;
  mode: string;
  text: string;
  to: string | null;
  own: string | null;
  files: DraftFile[];
  key: string | null;
  at: number;
}

/** Every draft of one person in one organisation, kept in the browser. */
export class Drafts {
  readonly #drafts = new Map<string, Draft>();
  readonly #waiting = new CellMap<string, Draft | null>((contact) => this.#firstWaiting(contact));
  readonly #unsaved = new Map<string, () => void>();
  readonly #prefix: string;

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
    const { text, to, own, key } = content;
    const files = content.files.filter((file) => file.state === "ready");
    return {
      contact: draft.contact,
      mode: draft.mode,
      text,
      to,
      own,
      files,
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
      const { contact, mode, text, to, own, files } = stored;
      const content: DraftText = { text, to, own, files, key: stored.key, refusal: null };
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
