import type { Member, Role } from "../api";
import { distance, MANAGE } from "../people";
import { t } from "./strings";

/** From so many members on they can be searched. */
export const MANY = 8;

const plain = (text: string) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();

/** Those whose name, email or role has every word that was typed. */
export function matching(members: readonly Member[], typed: string): Member[] {
  const words = plain(typed).split(/\s+/).filter(Boolean);
  return members.filter((member) => {
    const text = plain([member.name, member.email, member.role?.name ?? ""].join(" "));
    return words.every((word) => text.includes(word));
  });
}

/** Whether a change of one's own role gives away the right to take it back. */
export const losesItself = (role: Role): boolean => !role.capabilities.includes(MANAGE);

/** When somebody was there last. */
export function seen(member: Member, now: number): string {
  if (member.last_seen_at === null || member.last_seen_at === undefined) return t.members.neverSeen;
  // It is noted every five minutes only.
  if (now - Date.parse(member.last_seen_at) < 6 * 60_000) return t.members.seenNow;
  return t.members.seen(distance(member.last_seen_at, now));
}
