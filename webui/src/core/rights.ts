import type { Organisation } from "./wire";

/** How a member's messages go out: by themselves, once somebody approves them, or not at all. */
export function sendsHow({ capabilities }: Organisation): "direct" | "gated" | null {
  if (capabilities.includes("messages.send")) return "direct";
  return capabilities.includes("messages.send_gated") ? "gated" : null;
}

/** The rights of which each opens a section of the settings (`settings/sections.test.ts`). */
export const settingsRights: readonly string[] = [
  "settings.manage",
  "channels.manage",
  "members.manage",
  "audit.view",
];

/** Whether there is anything in the settings for this member. */
export function seesSettings({ capabilities }: Organisation): boolean {
  return settingsRights.some((right) => capabilities.includes(right));
}

/** Whether somebody may and sees the same: if not, all that is on screen is read anew. */
export function seesAlike(one: Organisation, other: Organisation): boolean {
  const seen = ({ capabilities, channels, own_addresses }: Organisation) =>
    JSON.stringify([capabilities, channels, own_addresses]);
  return seen(one) === seen(other);
}
