import { defaultScope, filters, statuses } from "./scope";
import type { Filter, Scope, Status } from "./wire";

/** Where in the application a person is: the address, read. */
export type Place =
  | { page: "home" }
  | { page: "messages"; scope: Scope; conversation: string | null; entry: string | null }
  | { page: "unknown" };

function oneOf<T extends string>(value: string | null, allowed: readonly T[], otherwise: T): T {
  return allowed.find((each) => each === value) ?? otherwise;
}

export function parsePlace(path: string, search: string): Place {
  if (path === "/") return { page: "home" };
  if (path !== "/messages") return { page: "unknown" };
  const query = new URLSearchParams(search);
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
  if (place.page !== "messages") return "/";
  const query = new URLSearchParams();
  if (place.conversation !== null) query.set("conversation", place.conversation);
  if (place.scope.status !== defaultScope.status) query.set("status", place.scope.status);
  if (place.scope.filter !== defaultScope.filter) query.set("filter", place.scope.filter);
  if (place.entry !== null) query.set("entry", place.entry);
  const search = query.toString();
  return search === "" ? "/messages" : `/messages?${search}`;
}
