import type { Token } from "../api";
import { DAY, distance } from "../people";
import { t } from "./strings";

/** Until when a token is good, which may be for ever. */
export function tokenExpiry({ expires_at }: Token, now: number): { over: boolean; text: string } {
  if (expires_at === null) return { over: false, text: t.tokens.forever };
  const over = Date.parse(expires_at) <= now;
  const when = distance(expires_at, now);
  return { over, text: over ? t.tokens.expired(when) : t.tokens.until(when) };
}

export const lives = { "30": t.tokens.in30, "90": t.tokens.in90, "365": t.tokens.in365 } as const;

/** When a token that lives so many days expires; `""`: never. */
export function expiresAt(days: string, now: number): string | null {
  return days === "" ? null : new Date(now + Number(days) * DAY).toISOString();
}
