/** A piece of a text: words, or the address of a page. */
export interface Piece {
  readonly text: string;
  readonly link: boolean;
}

const LINK = /\bhttps?:\/\/[^\s<>"'\p{C}]+/giu;
/** What ends a sentence around an address, and is none of it. */
const AFTER = /[.,;:!?…»”’]+$/u;
const PAIRS: readonly (readonly [string, string])[] = [
  ["(", ")"],
  ["[", "]"],
];

/** An address without what ends the sentence; a bracket belongs to it when it was opened there. */
function trimmed(found: string): string {
  let link = found.replace(AFTER, "");
  for (const [open, close] of PAIRS) {
    if (!link.endsWith(close) || link.split(open).length >= link.split(close).length) continue;
    link = link.slice(0, -1).replace(AFTER, "");
  }
  return link;
}

/** A text in pieces, so that addresses of pages can be followed: as they are written, to there alone. */
export function linked(text: string): Piece[] {
  const pieces: Piece[] = [];
  let done = 0;
  for (const { 0: found, index } of text.matchAll(LINK)) {
    const link = trimmed(found);
    if (!URL.canParse(link)) continue;
    if (index > done) pieces.push({ text: text.slice(done, index), link: false });
    pieces.push({ text: link, link: true });
    done = index + link.length;
  }
  if (done < text.length) pieces.push({ text: text.slice(done), link: false });
  return pieces;
}
