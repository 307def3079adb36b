import { createContext } from "svelte";

import type { Zone } from "../core/dates";
import type { Inbox } from "../core/inbox";
import type { Entry } from "../core/wire";

/** The inbox the page shows, and how it shows times. */
export const [getInbox, setInbox] = createContext<Inbox>();
export const [getZone, setZone] = createContext<Zone>();

/** What an entry can have its conversation do. */
export interface Acts {
  /** Whether answers on the entry's channel can name it. */
  replies: (entry: Entry) => boolean;
  /** `all`: also to everybody else it went to. */
  reply: (entry: Entry, all?: boolean) => void;
  /** Puts what could not be sent back into the field, before what is there. */
  rewrite: (entry: Entry) => void;
  /** The way to write to whoever only called, if there is one. */
  readonly text: { name: string; write: () => void } | null;
}

export const [getActs, setActs] = createContext<Acts | null>();
