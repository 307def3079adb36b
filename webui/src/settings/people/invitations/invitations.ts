import type { Invitation, Role } from "../api";
import { ADMIN, distance } from "../people";
import { t } from "./strings";

/** Until when an invitation can be accepted. */
export function expiry({ expires_at }: Invitation, now: number): { over: boolean; text: string } {
  const over = Date.parse(expires_at) <= now;
  const when = distance(expires_at, now);
  return { over, text: over ? t.invitations.expired(when) : t.invitations.expires(when) };
}

/** The role that most are invited with: the first that is not everything. */
export function usual(roles: readonly Role[]): Role | null {
  return roles.find(({ ready }) => ready !== ADMIN) ?? roles[0] ?? null;
}
