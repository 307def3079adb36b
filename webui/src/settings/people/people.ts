import type { Organisation } from "../../core/wire";
import type { Role } from "./api";
import { t } from "./strings";

export const DAY = 24 * 60 * 60_000;

export const MANAGE = "members.manage";
export const ADMIN = "Admin";
export const SUPER_USER = "Super User";

/** What a ready-made role keeps whatever is wished. */
const kept: Readonly<Record<string, readonly string[]>> = { [ADMIN]: [MANAGE, "settings.manage"] };

type Capability = keyof typeof t.capability;

/** In the order in which they are offered. */
export const capabilities = Object.keys(t.capability) as Capability[];

/** Whether somebody with these rights and this sight may give a role to somebody. */
export function mayGive({ capabilities: own, channels }: Organisation, role: Role): boolean {
  const sees = channels === null || (role.channels?.every((id) => channels.includes(id)) ?? false);
  return sees && role.capabilities.every((name) => own.includes(name));
}

export const isSuper = (role: Role): boolean => role.ready === SUPER_USER;

/** Whether a role keeps a right, or everything, whatever is wished. */
export function keeps(role: Pick<Role, "ready"> | null, name: string): boolean {
  if (role === null) return false;
  return role.ready === SUPER_USER || (kept[role.ready ?? ""]?.includes(name) ?? false);
}

/** What a capability is called, also one that these pages do not know. */
export function nameOf(name: string): string {
  return name in t.capability ? t.capability[name as Capability] : name;
}

/** The same of several, in the order in which they are offered. */
export function namesOf(names: readonly string[]): string[] {
  const known = capabilities.filter((name) => names.includes(name));
  return [...known, ...names.filter((name) => !(name in t.capability))].map(nameOf);
}

/** Roles that may be chosen for somebody: what one may give, and what they have already. */
export function choices(
  roles: readonly Role[],
  own: Organisation,
  superUser: boolean,
  held: string | null,
): Role[] {
  return roles.filter(
    (role) => role.id === held || (mayGive(own, role) && (!isSuper(role) || superUser)),
  );
}

/** How long ago, or in how long, in words; days where it is days. */
export function distance(iso: string, now: number): string {
  const away = Date.parse(iso) - now;
  const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });
  const size = Math.abs(away);
  if (size < 60 * 60_000) return relative.format(Math.round(away / 60_000), "minute");
  if (size < DAY) return relative.format(Math.round(away / (60 * 60_000)), "hour");
  if (size < 60 * DAY) return relative.format(Math.round(away / DAY), "day");
  if (size < 730 * DAY) return relative.format(Math.round(away / (30 * DAY)), "month");
  return relative.format(Math.round(away / (365 * DAY)), "year");
}
