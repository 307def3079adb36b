import type { Readable } from "openapi-typescript-helpers";

import type { components } from "./api";

/** As answers carry them. */
type Schemas = Readable<components["schemas"]>;

export type Me = Schemas["Me"];
export type ContactPatch = components["schemas"]["ContactPatch"];
export type MePatch = components["schemas"]["MePatch"];
export type SecondStep = Schemas["SecondStep"];
export type OpenSession = Schemas["SessionOut"];
export type TotpOffered = Schemas["TotpOffered"];
export type SecondFactor = Schemas["SecondFactorOut"];
export type Passkey = Schemas["PasskeyOut"];
export type PasskeyAdded = Schemas["PasskeyAdded"];
export type SignInWays = Schemas["SignInWays"];
export type InvitationOffered = Schemas["InvitationOffered"];
export type Organisation = Schemas["OrganisationOut"];
export type Member = Schemas["MemberOut"];
/** A member, and whether conversations may be assigned to them by themselves. */
export type Colleague = Member & Partial<Pick<Schemas["MemberListed"], "available">>;
export type Channel = Schemas["ChannelOut"];
export type ThreadRow = Schemas["ThreadRow"];
export type ThreadDetail = Schemas["ThreadDetail"];
export type ThreadStatus = ThreadRow["status"];
export type ThreadPatch = components["schemas"]["ThreadPatch"];
export type Counts = Schemas["ThreadCounts"];
export type ComposeMode = Schemas["ComposeMode"];
export type Entry = Schemas["Entry"];
export type Call = NonNullable<Entry["call"]>;
export type Quoted = NonNullable<Entry["answers"]>;
export type CallMode = Schemas["CallMode"];
export type Template = Schemas["TemplateOut"];
export type MessagePreview = Schemas["MessagePreview"];
export type Consent = Schemas["ConsentOut"];
export type ConsentEvent = Schemas["ConsentEvent"];
export type ContactFound = Schemas["ContactFound"];
export type EntryPage = Schemas["EntryPage"];
export type EntryStatus = NonNullable<Entry["status"]>;
export type Block = Entry["blocks"][number];
export type Attachment = Schemas["AttachmentOut"];
export type Delivery = Schemas["DeliveryOut"];
export type DeliveryState = Delivery["state"];
export type DeliveryPage = Schemas["DeliveryPage"];
export type DeliveryCounts = Schemas["DeliveryCounts"];
export type DeliveryDetail = Schemas["DeliveryDetail"];
export type DeliveryDryRun = Schemas["DeliveryDryRun"];
export type Job = Schemas["JobOut"];
export type Approval = Schemas["QueuedApproval"];
export type Decision = Schemas["Decision"];
export type Problem = Schemas["Problem"];
type OwnChoices = Required<components["schemas"]["AlertChoices"]>;
/** Answers carry all of them. */
export type AlertChoices = Omit<OwnChoices, "quiet"> & { quiet: Required<OwnChoices["quiet"]> };
export type AlertKind = AlertChoices["off"][number];

export type Status = "open" | "unread" | "closed" | "all";
export type Filter = "all" | "unread" | "unassigned" | "mine" | "needs_response" | "late";
export type Kind = "all" | "texts" | "emails" | "calls" | "notes" | "system";

/** Days of the organisation's zone in which anything happened. */
export type RangeName = "all" | "today" | "week" | "month" | "30d" | "custom";

/** What the list shows; what is not given narrows nothing. */
export interface Scope {
  readonly status: Status;
  readonly filter: Filter;
  readonly range?: RangeName;
  /** The days of a custom range, "2026-11-20", both included. */
  readonly from?: string;
  readonly to?: string;
  /** A member's id. */
  readonly assignee?: string;
  /** Anything on one of these. */
  readonly channels?: readonly string[];
  /** Anything through one of these addresses of ours. */
  readonly own?: readonly string[];
  /** What is searched for; it leaves the rest aside. */
  readonly q?: string;
}

export type SearchMatch = NonNullable<Schemas["ThreadRow"]["match"]>;
export type ThreadPage = Schemas["ThreadPage"];

/** One change of the stream; which of them is set goes by `type`. */
export interface Change {
  type: string;
  position: number;
  thread?: ThreadRow | null;
  entry?: Entry | null;
  channel?: Channel | null;
  approval?: Approval | null;
  alert?: AlertKind | null;
  entry_id?: string | null;
  thread_id?: string | null;
}

/** A colleague who looks at the conversation that is on screen here. */
export interface PersonThere {
  member_id: string;
  name: string;
  typing: boolean;
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
  | { type: "counts"; counts: Counts; position: number }
  | { type: "presence"; thread_id: string; people: PersonThere[] }
  | { type: "pong" };
