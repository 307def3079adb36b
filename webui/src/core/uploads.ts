import { carries, refuseFile } from "./compose";
import type { Draft } from "./drafts";
import type { Inbox } from "./inbox";
import { reasonOf } from "./problem";
import { t } from "./strings";

/** A file a person picked, pasted or dropped. */
export interface PickedFile {
  blob: Blob;
  name: string;
  size: number;
  type: string;
}

/** The files of drafts, on their way to the server. */
export class Uploads {
  readonly #inbox: Inbox;
  readonly #blobs = new Map<string, { file: PickedFile; abort: AbortController }>();

  constructor(inbox: Inbox) {
    this.#inbox = inbox;
  }

  /** Uploads a file into the draft it was given to, whatever is on screen when it is done. */
  attach(draft: Draft, file: PickedFile): void {
    const channel = this.#inbox.channels.get().get(draft.mode) ?? null;
    const refusal = refuseFile(file, draft.content.get().files, channel);
    if (refusal !== null) {
      this.#inbox.toasts.add(refusal);
      return;
    }
    const local = this.#inbox.ports.uuid();
    draft.addFile({
      local,
      name: file.name,
      size: file.size,
      state: "uploading",
      progress: 0,
      reason: null,
      attachment: null,
    });
    void this.#upload(draft, local, file);
  }

  detach(draft: Draft, local: string): void {
    this.#blobs.get(local)?.abort.abort();
    this.#blobs.delete(local);
    draft.removeFile(local);
  }

  /** Whether a file that failed can be tried again: it is still at hand. */
  canUploadAgain(local: string): boolean {
    return this.#blobs.has(local);
  }

  uploadAgain(draft: Draft, local: string): void {
    const kept = this.#blobs.get(local);
    if (!kept) return;
    draft.updateFile(local, { state: "uploading", progress: 0, reason: null });
    void this.#upload(draft, local, kept.file);
  }

  async #upload(draft: Draft, local: string, file: PickedFile): Promise<void> {
    const abort = new AbortController();
    this.#blobs.set(local, { file, abort });
    try {
      const attachment = await this.#inbox.ports.http.upload(
        this.#inbox.organisation.slug,
        file.blob,
        file.name,
        (progress) => {
          draft.updateFile(local, { progress });
        },
        abort.signal,
      );
      this.#blobs.delete(local);
      // What a file is, its bytes say, and not its name.
      const channel = this.#inbox.channels.get().get(draft.mode);
      if (channel && !carries(channel, attachment.content_type)) {
        const reason = t.composer.files.lyingType(attachment.content_type);
        draft.updateFile(local, { state: "failed", reason });
      } else draft.updateFile(local, { state: "ready", progress: 1, attachment });
    } catch (error) {
      if (abort.signal.aborted) return;
      draft.updateFile(local, { state: "failed", reason: reasonOf(error) });
    }
  }
}
