import { dayOf, ranges } from "./range";
import { defaultScope, filters, statuses } from "./scope";
import type { DeliveryState, Filter, RangeName, Scope, Status } from "./wire";

export const deliveryStates: readonly DeliveryState[] = [
  "quarantined",
  "unverified",
  "done",
  "ignored",
  "refused",
];

/** Where in the application a person is: the address, read. */
export type Place =
  | { page: "home" }
  | {
      page: "messages";
      scope: Scope;
      conversation: string | null;
      entry: string | null;
      /** The call of the conversation whose own page is open. */
      call?: string | undefined;
    }
  | {
      page: "deliveries";
      channel: string | null;
      state: DeliveryState | null;
      delivery: string | null;
    }
  | { page: "approvals"; approval: string | null }
  /** `item` is one of what the section lists. */
  | { page: "settings"; section: string | null; item: string | null }
  | { page: "account" | "forgot" | "join" | "reset" }
  | { page: "unknown" };

/** Pages that need nobody to be signed in, or that change how one signs in. */
const plain = ["account", "forgot", "join", "reset"] as const;

function oneOf<T extends string>(value: string | null, allowed: readonly T[], otherwise: T): T {
  return allowed.find((each) => each === value) ?? otherwise;
}

export function parsePlace(address: string, search: string): Place {
  const path = address.replace(/(.)\/$/, "$1");
  if (path === "/") return { page: "home" };
  const query = new URLSearchParams(search);
  if (path === "/deliveries")
    return {
      page: "deliveries",
      channel: query.get("channel"),
      state: oneOf<DeliveryState | "">(query.get("state"), deliveryStates, "") || null,
      delivery: query.get("delivery"),
    };
  if (path === "/approvals") return { page: "approvals", approval: query.get("approval") };
  const settings = /^\/settings(?:\/([\w-]+)(?:\/([\w.-]+))?)?$/.exec(path);
  if (settings !== null)
    return { page: "settings", section: settings[1] ?? null, item: settings[2] ?? null };
  const own = plain.find((page) => path === `/${page}`);
  if (own !== undefined) return { page: own };
  if (path !== "/messages") return { page: "unknown" };
  return {
    page: "messages",
    scope: readScope(query),
    conversation: query.get("conversation"),
    entry: query.get("entry"),
    call: query.get("call") ?? undefined,
  };
}

/** Of days that are none a custom range is left without. */
function readScope(query: URLSearchParams): Scope {
  const day = (name: string) => {
    const given = query.get(name) ?? undefined;
    return dayOf(given) === null ? undefined : given;
  };
  const [from, to, assignee, q] = [day("from"), day("to"), query.get("assignee"), query.get("q")];
  const range = oneOf<RangeName>(query.get("range"), ranges, "30d");
  const isCustom = range === "custom";
  const [channels, own] = [query.getAll("channel"), query.getAll("own")];
  return {
    status: oneOf<Status>(query.get("status"), statuses, defaultScope.status),
    filter: oneOf<Filter>(query.get("filter"), filters, defaultScope.filter),
    range,
    ...(isCustom && from !== undefined ? { from } : {}),
    ...(isCustom && to !== undefined ? { to } : {}),
    ...(assignee ? { assignee } : {}),
    ...(channels.length > 0 ? { channels } : {}),
    ...(own.length > 0 ? { own } : {}),
    ...(q ? { q } : {}),
  };
}

function writeScope(query: URLSearchParams, scope: Scope): void {
  const { status, filter, range = "all", from, to, assignee, channels = [], own = [], q } = scope;
  if (status !== defaultScope.status) query.set("status", status);
  if (filter !== defaultScope.filter) query.set("filter", filter);
  if (range !== defaultScope.range) query.set("range", range);
  if (from !== undefined) query.set("from", from);
  if (to !== undefined) query.set("to", to);
  if (assignee !== undefined) query.set("assignee", assignee);
  for (const channel of channels) query.append("channel", channel);
  for (const address of own) query.append("own", address);
  if (q) query.set("q", q);
}

/** What every address names for who is in several organisations, so that it opens in the right one. */
let organisation: string | null = null;

/** From now on addresses name this organisation; with `null` they name none. */
export function nameOrganisation(slug: string | null): void {
  organisation = slug;
}

/** The organisation that an address names. */
export function organisationOf(search: string): string | null {
  return new URLSearchParams(search).get("org") || null;
}

/** The address of a place; what is at its default is left out. */
export function formatPlace(place: Place): string {
  const address = format(place);
  const nobodys = place.page === "forgot" || place.page === "join" || place.page === "reset";
  if (organisation === null || nobodys) return address;
  return `${address}${address.includes("?") ? "&" : "?"}org=${encodeURIComponent(organisation)}`;
}

function format(place: Place): string {
  if (place.page === "deliveries") {
    const { channel, state, delivery } = place;
    const given = Object.entries({ channel, state, delivery }).filter(
      ([, value]) => value !== null,
    );
    const query = new URLSearchParams(given as [string, string][]).toString();
    return query === "" ? "/deliveries" : `/deliveries?${query}`;
  }
  if (place.page === "approvals")
    return place.approval === null
      ? "/approvals"
      : `/approvals?approval=${encodeURIComponent(place.approval)}`;
  if (place.page === "settings")
    return ["/settings", place.section, place.item].filter((part) => part !== null).join("/");
  const own = plain.find((page) => place.page === page);
  if (own !== undefined) return `/${own}`;
  if (place.page !== "messages") return "/";
  const query = new URLSearchParams();
  if (place.conversation !== null) query.set("conversation", place.conversation);
  writeScope(query, place.scope);
  if (place.entry !== null) query.set("entry", place.entry);
  if (place.call !== undefined) query.set("call", place.call);
  const search = query.toString();
  return search === "" ? "/messages" : `/messages?${search}`;
}
