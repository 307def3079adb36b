/** A piece of a text as it was changed: kept, taken out, or put in. */
export interface Piece {
  readonly kind: "kept" | "out" | "in";
  readonly text: string;
}

/** More words than this are not compared one by one. */
const MOST = 1_500;

function words(text: string): string[] {
  return text.match(/\s+|[^\s]+/gu) ?? [];
}

/** What leads from one text to another, word by word. */
export function changesOf(before: string, after: string): Piece[] {
  const [a, b] = [words(before), words(after)];
  let first = 0;
  while (first < a.length && first < b.length && a[first] === b[first]) first += 1;
  let last = 0;
  while (
    last < a.length - first &&
    last < b.length - first &&
    a[a.length - 1 - last] === b[b.length - 1 - last]
  )
    last += 1;
  const pieces: Piece[] = [];
  const add = (kind: Piece["kind"], text: string): void => {
    const top = pieces.at(-1);
    if (text === "") return;
    if (top?.kind === kind) pieces[pieces.length - 1] = { kind, text: top.text + text };
    else pieces.push({ kind, text });
  };
  add("kept", a.slice(0, first).join(""));
  between(a.slice(first, a.length - last), b.slice(first, b.length - last), add);
  add("kept", a.slice(a.length - last).join(""));
  return pieces;
}

/** The longest common run of words stays; what is left over was taken out or put in. */
function between(
  a: readonly string[],
  b: readonly string[],
  add: (kind: Piece["kind"], text: string) => void,
): void {
  if (a.length * b.length > MOST * MOST) {
    add("out", a.join(""));
    add("in", b.join(""));
    return;
  }
  const width = b.length + 1;
  const common = new Uint16Array((a.length + 1) * width);
  const at = (i: number, j: number): number => common[i * width + j] ?? 0;
  for (let i = a.length - 1; i >= 0; i -= 1)
    for (let j = b.length - 1; j >= 0; j -= 1)
      common[i * width + j] =
        a[i] === b[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    const [was, now] = [a[i], b[j]];
    if (was !== undefined && was === now) {
      add("kept", was);
      i += 1;
      j += 1;
    } else if (was !== undefined && (now === undefined || at(i + 1, j) >= at(i, j + 1))) {
      add("out", was);
      i += 1;
    } else {
      add("in", now ?? "");
      j += 1;
    }
  }
}
