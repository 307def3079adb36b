import { t } from "./words";

/** What is wrong with an address for a new conversation, or `null`; the server decides. */
export function addressFault(address: string, scheme: string): string | null {
  const written = address.trim();
  if (written === "") return t.start.needTo;
  if (scheme === "phone" && !/^\+?[\d\s().\-/]{6,}$/u.test(written)) return t.start.needPhone;
  if (scheme === "email" && !/^[^\s@]+@[^\s@]+\.[^\s@]+$/u.test(written)) return t.start.needEmail;
  return null;
}
