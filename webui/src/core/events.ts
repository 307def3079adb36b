import { t } from "./words";
import type { Entry } from "./wire";

/** A system event in one line; one this page does not know keeps the server's own words. */
export function describeEvent(entry: Entry): string {
  const event: Readonly<Record<string, unknown>> = entry.event ?? {};
  const word = (key: string) => (typeof event[key] === "string" ? event[key] : null);
  const by = word("by");
  const what = describe(word("type"), word("assignee") ?? "", word("address") ?? "") ?? entry.text;
  return by === null || what === "" ? what : t.events.by(what, by);
}

function describe(type: string | null, assignee: string, address: string): string | null {
  switch (type) {
    case "assigned":
      return t.events.assigned(assignee);
    case "assigned_automatically":
      return t.events.assigned_automatically(assignee);
    case "unassigned":
      return t.events.unassigned;
    case "closed":
      return t.events.closed;
    case "reopened":
      return t.events.reopened;
    case "needs_response_set":
      return t.events.needs_response_set;
    case "needs_response_cleared":
      return t.events.needs_response_cleared;
    case "opted_out":
      return t.events.opted_out(address);
    case "opted_in":
      return t.events.opted_in(address);
    default:
      return null;
  }
}
