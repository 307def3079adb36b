import { createContext } from "svelte";

import type { Zone } from "../core/dates";
import type { Inbox } from "../core/inbox";

/** The inbox the page shows, and how it shows times. */
export const [getInbox, setInbox] = createContext<Inbox>();
export const [getZone, setZone] = createContext<Zone>();
