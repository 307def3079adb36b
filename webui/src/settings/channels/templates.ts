import type { Template } from "../../core/wire";

/** A piece of a template's text: words, or what stands where a value will. */
export interface Piece {
  readonly text: string;
  readonly isValue: boolean;
}

/**
 * A text of a template (its header, its whole) with its values marked. How a provider writes a value differs; what stands
 * between braces and names a parameter is one.
 */
export function piecesOf(whole: string, { parameters }: Template): Piece[] {
  const names = new Set(parameters.map(({ name }) => name));
  const pieces: Piece[] = [];
  const add = (text: string, isValue: boolean): void => {
    const last = pieces.at(-1);
    if (text === "") return;
    if (last && !last.isValue && !isValue)
      pieces[pieces.length - 1] = { text: last.text + text, isValue };
    else pieces.push({ text, isValue });
  };
  let end = 0;
  for (const found of whole.matchAll(/\{{1,2}\s*([^{}]+?)\s*\}{1,2}/g)) {
    add(whole.slice(end, found.index), false);
    add(found[0], names.has(found[1] ?? ""));
    end = found.index + found[0].length;
  }
  add(whole.slice(end), false);
  return pieces;
}

/** By name, then by language: those that belong together stand together. */
export function inOrder(templates: readonly Template[]): Template[] {
  return [...templates].sort(
    (one, other) =>
      one.name.localeCompare(other.name) || one.language.localeCompare(other.language),
  );
}
