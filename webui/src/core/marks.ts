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
