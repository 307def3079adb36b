import { defaultScope, filters, statuses } from "./scope";
import type { DeliveryState, Filter, Scope, Status } from "./wire";

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
  | { page: "messages"; scope: Scope; conversation: string | null; entry: string | null }
  | {
      page: "deliveries";
      channel: string | null;
      state: DeliveryState | null;
      delivery: string | null;
    }
  | { page: "unknown" };

function oneOf<T extends string>(value: string | null, allowed: readonly T[], otherwise: T): T {
  return allowed.find((each) => each === value) ?? otherwise;
}

export function parsePlace(path: string, search: string): Place {
  if (path === "/") return { page: "home" };
  const query = new URLSearchParams(search);
  if (path === "/deliveries")
    return {
      page: "deliveries",
      channel: query.get("channel"),
      state: oneOf<DeliveryState | "">(query.get("state"), deliveryStates, "") || null,
      delivery: query.get("delivery"),
    };
  if (path !== "/messages") return { page: "unknown" };
  return {
    page: "messages",
    scope: {
      status: oneOf<Status>(query.get("status"), statuses, defaultScope.status),
      filter: oneOf<Filter>(query.get("filter"), filters, defaultScope.filter),
    },
    conversation: query.get("conversation"),
    entry: query.get("entry"),
  };
}

/** The address of a place; what is at its default is left out. */
export function formatPlace(place: Place): string {
  if (place.page === "deliveries") {
    const { channel, state, delivery } = place;
    const given = Object.entries({ channel, state, delivery }).filter(
      ([, value]) => value !== null,
    );
    const query = new URLSearchParams(given as [string, string][]).toString();
    return query === "" ? "/deliveries" : `/deliveries?${query}`;
  }
  if (place.page !== "messages") return "/";
  const query = new URLSearchParams();
  if (place.conversation !== null) query.set("conversation", place.conversation);
  if (place.scope.status !== defaultScope.status) query.set("status", place.scope.status);
  if (place.scope.filter !== defaultScope.filter) query.set("filter", place.scope.filter);
  if (place.entry !== null) query.set("entry", place.entry);
  const search = query.toString();
  return search === "" ? "/messages" : `/messages?${search}`;
}
