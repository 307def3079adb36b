import type { Channel } from "../core/wire";

/** The organisation's own addresses, each once however many channels it has. */
export function ownAddresses(channels: readonly Channel[]): { value: string; display: string }[] {
  const found = new Map<string, string>();
  for (const { own_addresses } of channels)
    for (const { value, display } of own_addresses) found.set(value, display);
  return [...found].map(([value, display]) => ({ value, display }));
}

/** How one of them reads. */
export function ownLabel(channels: readonly Channel[], value: string): string {
  return ownAddresses(channels).find((own) => own.value === value)?.display ?? value;
}
