import type { Organisation } from "./wire";

/** What an address says of the organisation it is of, and how to find out what it does not say. */
export interface Asked {
  /** The organisation that the address names. */
  named: string | null;
  /** The conversation it leads to. */
  conversation: string | null;
  /** The organisation this browser showed last. */
  last: string | null;
  /** Whether an organisation has the conversation, for this person. */
  has: (organisation: Organisation, conversation: string) => Promise<boolean>;
}

/**
 * The organisation an address is of, `null` when it names one that is not theirs. An address that
 * names none leads to whichever has its conversation, else to the one shown last, else to the first.
 */
export async function organisationFor(
  organisations: readonly Organisation[],
  { named, conversation, last, has }: Asked,
): Promise<Organisation | null> {
  if (named !== null) return organisations.find(({ slug }) => slug === named) ?? null;
  const usual = organisations.find(({ slug }) => slug === last) ?? organisations[0] ?? null;
  if (usual === null || conversation === null || organisations.length === 1) return usual;
  for (const each of [usual, ...organisations.filter((other) => other !== usual)])
    if (await has(each, conversation)) return each;
  return usual;
}
