import { without, withoutSearch } from "./scope";
import type { Scope } from "./wire";

/** One thing that a scope is narrowed by, and the scope without it. */
export interface Narrowing {
  readonly of: "status" | "filter" | "range" | "assignee" | "channel" | "own" | "q";
  readonly value: string;
  readonly without: Scope;
}

/** Everything that a scope is narrowed by, as far as a person can drop it. */
export function narrowings(scope: Scope): Narrowing[] {
  const { q, assignee, channels = [], own = [] } = scope;
  if (q !== undefined) return [{ of: "q", value: q, without: withoutSearch(scope) }];
  const found: Narrowing[] = [];
  if (scope.filter !== "all")
    found.push({ of: "filter", value: scope.filter, without: { ...scope, filter: "all" } });
  if (assignee !== undefined)
    found.push({ of: "assignee", value: assignee, without: without(scope, "assignee") });
  const less = (all: readonly string[], value: string) => all.filter((each) => each !== value);
  for (const value of channels)
    found.push({
      of: "channel",
      value,
      without: { ...scope, channels: less(channels, value) },
    });
  for (const value of own)
    found.push({ of: "own", value, without: { ...scope, own: less(own, value) } });
  if (scope.status !== "all")
    found.push({ of: "status", value: scope.status, without: { ...scope, status: "all" } });
  if ((scope.range ?? "all") !== "all")
    found.push({ of: "range", value: scope.range ?? "", without: allTime(scope) });
  return found;
}

/** A scope without its dates. */
export function allTime(scope: Scope): Scope {
  return { ...without(scope, "from", "to"), range: "all" };
}
