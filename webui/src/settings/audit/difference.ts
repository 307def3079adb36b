/** What a field held before and after; `null` where there was none. */
export interface Difference {
  /** The way to it, such as `hours.monday`; "" where the whole is one value. */
  readonly field: string;
  readonly before: unknown;
  readonly after: unknown;
}

/** How deep a field may lie: what is deeper is shown as a whole. */
const DEPTH = 3;

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A member, a role: something that has a name besides its id is one value. */
function isNamed(value: unknown): boolean {
  return isObject(value) && "id" in value && "name" in value;
}

function same(one: unknown, other: unknown): boolean {
  return JSON.stringify(one ?? null) === JSON.stringify(other ?? null);
}

/** The fields in which two states differ, in the order in which they are written. */
export function differences(before: unknown, after: unknown, field = "", depth = 0): Difference[] {
  if (same(before, after)) return [];
  const both = [before, after];
  const held = both.filter((one) => one !== null && one !== undefined);
  if (depth >= DEPTH || !held.every(isObject) || held.some(isNamed))
    return [{ field, before: before ?? null, after: after ?? null }];
  const [was, is] = both.map((one) => (isObject(one) ? one : {}));
  const names = [...new Set([...Object.keys(was ?? {}), ...Object.keys(is ?? {})])];
  return names.flatMap((name) =>
    differences(was?.[name], is?.[name], field === "" ? name : `${field}.${name}`, depth + 1),
  );
}

/** A value in words. */
export function worded(value: unknown, words: { empty: string; yes: string; no: string }): string {
  if (value === null || value === undefined || value === "") return words.empty;
  if (typeof value === "boolean") return value ? words.yes : words.no;
  if (typeof value === "string" || typeof value === "number") return String(value);
  if (Array.isArray(value)) {
    if (value.length === 0) return words.empty;
    return value.map((each) => worded(each, words)).join(", ");
  }
  const { name } = value as { name?: unknown };
  if (isNamed(value) && typeof name === "string") return name;
  return JSON.stringify(value);
}

/** What was done, by its own words: of what a later version adds nobody has written better ones. */
export function actionWords(action: string): string {
  const words = action.replace(/[._]/g, " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}
