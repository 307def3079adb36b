import type { Readable } from "openapi-typescript-helpers";

import type { components } from "./api";

/** As answers carry them. */
type Schemas = Readable<components["schemas"]>;

export type Me = Schemas["Me"];
export type Organisation = Schemas["OrganisationOut"];
export type Member = Schemas["MemberOut"];
export type Channel = Schemas["ChannelOut"];
export type ThreadRow = Schemas["ThreadRow"];
export type ThreadDetail = Schemas["ThreadDetail"];
export type ThreadStatus = ThreadRow["status"];
export type ThreadPatch = components["schemas"]["ThreadPatch"];
export type Counts = Schemas["ThreadCounts"];
export type ComposeMode = Schemas["ComposeMode"];
export type Entry = Schemas["Entry"];
export type EntryPage = Schemas["EntryPage"];
export type EntryStatus = NonNullable<Entry["status"]>;
export type Attachment = Schemas["AttachmentOut"];
export type Delivery = Schemas["DeliveryOut"];
export type DeliveryState = Delivery["state"];
export type DeliveryPage = Schemas["DeliveryPage"];
export type DeliveryCounts = Schemas["DeliveryCounts"];
export type DeliveryDetail = Schemas["DeliveryDetail"];
export type DeliveryDryRun = Schemas["DeliveryDryRun"];
export type Job = Schemas["JobOut"];
export type Problem = Schemas["Problem"];

export type Status = "open" | "unread" | "closed" | "all";
export type Filter = "all" | "unread" | "unassigned" | "mine" | "needs_response";
export type Kind = "all" | "texts" | "emails" | "calls" | "notes" | "system";

/** What the list shows. */
export interface Scope {
  readonly status: Status;
  readonly filter: Filter;
}

/** One change of the stream; which of the three is set goes by `type`. */
export interface Change {
  type: string;
  position: number;
  thread?: ThreadRow | null;
  entry?: Entry | null;
  channel?: Channel | null;
}

export interface Frame {
  type?: undefined;
  from: number;
  to: number;
  changes: Change[];
}

export type StreamMessage =
  | Frame
  | { type: "hello"; position: number }
  | { type: "reload"; position: number }
  | { type: "counts"; counts: Counts }
  | { type: "pong" };
