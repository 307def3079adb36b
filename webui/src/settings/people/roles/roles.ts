import type { Member, Role } from "../api";
import { ADMIN, capabilities, namesOf, SUPER_USER } from "../people";
import { t } from "./strings";

/** Of what somebody with a role sees something: everything (no `channels` are named), or these whole and of others single numbers. */
export type Sight = Pick<Role, "channels" | "own_addresses">;

/** Who is named where a role is theirs. */
const NAMED = 5;

/** Whether a role sees every channel whatever is wished. */
export function keepsChannels(role: Pick<Role, "ready"> | null): boolean {
  return role?.ready === SUPER_USER || role?.ready === ADMIN;
}

/** What a role may, in a line. */
export function summary(role: Role): string {
  const names = namesOf(role.capabilities);
  if (capabilities.every((name) => role.capabilities.includes(name))) return t.roles.everything;
  return names.length === 0 ? t.roles.nothing : names.join(" · ");
}

/** Those who have a role now. */
export function holders(role: Role, members: readonly Member[]): Member[] {
  return members.filter((member) => member.active && member.role?.id === role.id);
}

/** Who has it, by name, not more than a few. */
export function named(members: readonly Member[]): string {
  const names = members.slice(0, NAMED).map(({ name }) => name);
  const more = members.length - names.length;
  const said = new Intl.ListFormat(undefined, { type: more > 0 ? "unit" : "conjunction" }).format(
    names,
  );
  return more > 0 ? t.roles.andMore(said, more) : said;
}

/** The role that may least: what is chosen where nobody has chosen gives nothing away. */
export function least(roles: readonly Role[]): Role | null {
  const by = (role: Role) => role.capabilities.length;
  return [...roles].sort((one, other) => by(one) - by(other))[0] ?? null;
}

/** On how many channels a limited role sees something. */
export function reaches({ channels, own_addresses }: Sight): number {
  return new Set([...(channels ?? []), ...own_addresses.map(({ channel_id }) => channel_id)]).size;
}

/** Limited, and nothing is chosen yet. */
export function seesNothing(sight: Sight): boolean {
  return sight.channels !== null && reaches(sight) === 0;
}

/** With a channel whole, which its single numbers are part of, or without it. */
export function withChannel(sight: Sight, channel: string, on: boolean): Sight {
  const others = (sight.channels ?? []).filter((each) => each !== channel);
  return {
    channels: (on ? [...others, channel] : others).sort(),
    own_addresses: sight.own_addresses.filter(({ channel_id }) => channel_id !== channel),
  };
}

/** With a single number of a channel, or without it. */
export function withNumber(sight: Sight, channel_id: string, address: string, on: boolean): Sight {
  const others = sight.own_addresses.filter(
    (each) => each.channel_id !== channel_id || each.address !== address,
  );
  return {
    channels: sight.channels ?? [],
    own_addresses: on ? [...others, { channel_id, address }] : others,
  };
}

/** The numbers of a channel that can be chosen: its own, where there are several, and those that are chosen already. */
export function numbersOf(
  channel: { id: string; own_addresses: readonly { value: string; display: string }[] },
  { own_addresses }: Sight,
): { value: string; display: string }[] {
  const own = channel.own_addresses.length > 1 ? channel.own_addresses : [];
  const chosen = own_addresses.filter(({ channel_id }) => channel_id === channel.id);
  const known = new Map(channel.own_addresses.map(({ value, display }) => [value, display]));
  return [
    ...own,
    ...chosen
      .filter(({ address }) => !own.some(({ value }) => value === address))
      .map(({ address }) => ({ value: address, display: known.get(address) ?? address })),
  ];
}
