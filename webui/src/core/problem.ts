import { t } from "./strings";
import type { Problem } from "./wire";

/** The server answered, and said no. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    readonly problem: Problem | null,
    /** Seconds until it may be tried again, when the server said so. */
    readonly retryAfter: number | null,
  ) {
    super(problem?.detail ?? problem?.title ?? String(status));
  }

  /** Whether trying the same again later may succeed. */
  get passing(): boolean {
    return this.status >= 500 || this.status === 429;
  }
}

/** There was no answer at all. */
export class Unreachable extends Error {}

/** Whether nobody knows what came of it, so that the very same may be tried again. */
export function isPassing(error: unknown): boolean {
  return error instanceof Unreachable || (error instanceof Refused && error.passing);
}

/** The refusal an answer tells of; `body` is what it carried, if that could be read. */
export function refusalOf(response: Response, body: unknown): Refused {
  const after = Number(response.headers.get("Retry-After") ?? NaN);
  const problem = body !== null && typeof body === "object" ? (body as Problem) : null;
  return new Refused(response.status, problem, Number.isFinite(after) ? after : null);
}

/** What is wrong with which field, of those whose names begin so; by the rest of their names. */
export function faultsOf(error: unknown, prefix: string): Record<string, string> {
  const errors = error instanceof Refused ? (error.problem?.errors ?? []) : [];
  return Object.fromEntries(
    errors
      .filter(({ field }) => field.startsWith(prefix))
      .map(({ field, message }) => [field.slice(prefix.length), message]),
  );
}

/** Why it failed, in words for the person. */
export function reasonOf(error: unknown): string {
  if (error instanceof Unreachable) return t.problem.unreachable;
  if (!(error instanceof Refused)) return t.problem.unexpected;
  if (error.status === 401) return t.problem.signedOut;
  if (error.status === 429) return t.problem.tooMany(error.retryAfter);
  // What is wrong with which field says more than that the request does not fit.
  const fields = error.problem?.errors ?? [];
  if (error.status === 400 && fields.length > 0)
    return fields.map((each) => `${each.field}: ${each.message}`).join("; ");
  if (error.problem?.detail) return error.problem.detail;
  if (error.status === 403) return t.problem.forbidden;
  if (error.status === 404) return t.problem.gone;
  if (error.status === 413) return t.problem.tooLarge;
  return t.problem.server(error.status);
}
