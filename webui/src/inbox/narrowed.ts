import type { Inbox } from "../core/inbox";
import type { Zone } from "../core/dates";
import { rangeLabel } from "../core/range";
import type { Narrowing } from "../core/narrowings";
import { t } from "../core/words";
import type { Filter, Scope, Status } from "../core/wire";
import { live } from "../live.svelte";
import { ownLabel } from "./own";

/** What a list is narrowed by, in words. */
export function labelOf(
  inbox: Inbox,
  zone: Zone,
  now: number,
  scope: Scope,
  { of, value }: Narrowing,
): string {
  switch (of) {
    case "filter":
      return t.filters[value as Filter];
    case "status":
      return t.status[value as Status];
    case "range":
      return rangeLabel(scope, now, zone);
    case "assignee":
      return live(inbox.members).find(({ id }) => id === value)?.name ?? t.narrow.formerly;
    case "channel":
      return live(inbox.channels).get(value)?.name ?? value;
    case "own":
      return ownLabel([...live(inbox.channels).values()], value);
    case "q":
      return value;
  }
}
