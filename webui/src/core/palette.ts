/** One thing that the palette offers. */
export interface Choice {
  /** Different for each. */
  readonly id: string;
  readonly label: string;
  /** What else it is found by, and told apart by. */
  readonly hint?: string | undefined;
  readonly run: () => void;
}

/** Letters and digits as people compare them: without accents, without capitals. */
function plain(text: string): string {
  return text.normalize("NFKD").replace(/\p{M}/gu, "").toLocaleLowerCase();
}

const words = (text: string) => plain(text).match(/[\p{L}\p{N}]+/gu) ?? [];

/**
 * Those in which each word of a query begins some word, in their order; those whose own name begins
 * with the query stand first. With nothing asked for all of them.
 */
export function matching<T extends Pick<Choice, "label" | "hint">>(
  choices: readonly T[],
  query: string,
): readonly T[] {
  const asked = words(query);
  if (asked.length === 0) return choices;
  const begins = plain(query.trim());
  const found = choices.filter((choice) => {
    const said = words(`${choice.label} ${choice.hint ?? ""}`);
    return asked.every((word) => said.some((each) => each.startsWith(word)));
  });
  const first = (choice: T) => Number(!plain(choice.label).startsWith(begins));
  return found.toSorted((a, b) => first(a) - first(b));
}
