/** A text in pieces, of which some were found. */
export function pieces(
  text: string,
  ranges: readonly (readonly number[])[],
): { text: string; found: boolean }[] {
  const cut: { text: string; found: boolean }[] = [];
  let at = 0;
  for (const [from = 0, to = 0] of ranges) {
    if (from > at) cut.push({ text: text.slice(at, from), found: false });
    if (to > from) cut.push({ text: text.slice(from, to), found: true });
    at = Math.max(at, to);
  }
  if (at < text.length) cut.push({ text: text.slice(at), found: false });
  return cut;
}

/** Characters before what was found that a row has room for. */
const LEAD = 16;

/** The same from a few words before the first that was found: a row shows little of a long text. */
export function piecesNear(
  text: string,
  ranges: readonly (readonly number[])[],
): { text: string; found: boolean }[] {
  const [first, ...rest] = pieces(text, ranges);
  if (!first) return [];
  if (first.found || rest.length === 0 || first.text.length <= LEAD) return [first, ...rest];
  const word = first.text.slice(-LEAD).search(/\s\S/);
  const lead = word < 0 ? "" : first.text.slice(word - LEAD + 1);
  return [{ text: `…${lead}`, found: false }, ...rest];
}
