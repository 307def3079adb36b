/** A piece of a note: words, or the name of somebody who is mentioned. */
export interface Piece {
  readonly text: string;
  readonly mention: boolean;
}

const AT = "@";

/** A note in pieces, so that those whom it mentions stand out. */
export function pieces(text: string, names: readonly string[]): Piece[] {
  const wanted = names.map((name) => (AT + name).toLowerCase()).sort((a, b) => b.length - a.length);
  const lower = text.toLowerCase();
  const found: Piece[] = [];
  let done = 0;
  for (let at = lower.indexOf(AT); at >= 0; at = lower.indexOf(AT, at + 1)) {
    const name = at < done ? undefined : wanted.find((each) => lower.startsWith(each, at));
    if (name === undefined) continue;
    if (at > done) found.push({ text: text.slice(done, at), mention: false });
    done = at + name.length;
    found.push({ text: text.slice(at, done), mention: true });
  }
  if (done < text.length) found.push({ text: text.slice(done), mention: false });
  return found;
}

/** The name that is being written where the caret stands: where its "@" is, and what follows it. */
export function nameBegun(text: string, caret: number): { from: number; begun: string } | null {
  const from = text.lastIndexOf(AT, caret - 1);
  if (from < 0 || /[\p{L}\p{N}_]/u.test(text[from - 1] ?? "")) return null;
  const begun = text.slice(from + 1, caret);
  return begun.length > 40 || /[\n@]/.test(begun) || begun.startsWith(" ") ? null : { from, begun };
}

/** Those whose name, or a later part of it, begins so; who begins with it first. */
export function offered<M extends { name: string }>(people: readonly M[], begun: string): M[] {
  const wanted = begun.toLowerCase();
  const first = people.filter((one) => one.name.toLowerCase().startsWith(wanted));
  const later = people.filter(
    (one) => !first.includes(one) && one.name.toLowerCase().includes(` ${wanted}`),
  );
  return [...first, ...later];
}
