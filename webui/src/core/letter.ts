import { t } from "./words";
import type { Attachment, Block, Entry } from "./wire";

/** What a letter's card says before it is unfolded. */
const FOLDED_LINES = 4;
const FOLDED_LENGTH = 320;

/** Facts by this name are more than facts: they stand out. */
const WARNING = "Warning";

/** A letter in the parts its card shows. */
export interface Letter {
  readonly words: string;
  /** Whether the card shows only the beginning of the words until it is unfolded. */
  readonly long: boolean;
  readonly quoted: string;
  readonly html: string | null;
  readonly facts: readonly (readonly [string, string])[];
  readonly warnings: readonly string[];
  readonly labels: readonly string[];
}

export function readLetter(entry: Entry): Letter {
  const of = (type: Block["type"]) => entry.blocks.filter((block) => block.type === type);
  const joined = (type: Block["type"]) =>
    of(type)
      .map((block) => block.text?.trim() ?? "")
      .filter(Boolean)
      .join("\n\n");
  const quoted = joined("quote");
  const words = joined("text") || (quoted === "" ? entry.text.trim() : "");
  const fields = of("fields").flatMap((block) =>
    (block.fields ?? []).map(([name = "", value = ""]) => [name, value] as const),
  );
  return {
    words,
    long: words.split("\n").length > FOLDED_LINES || words.length > FOLDED_LENGTH,
    quoted,
    html: of("html")[0]?.html ?? null,
    facts: fields.filter(([name]) => name !== WARNING),
    warnings: fields.flatMap(([name, value]) => (name === WARNING ? [value] : [])),
    labels: of("buttons").flatMap((block) => block.labels ?? []),
  };
}

/** How far a letter that went out is known to have come, step by step. */
export function steps(entry: Entry): string[] {
  if (entry.direction !== "out") return [];
  const { status, engagement } = entry;
  const reached = ["sent", "delivered", "read"].indexOf(status ?? "");
  return [
    ...[t.entry.sent, t.entry.delivered, t.entry.read].slice(0, reached + 1),
    ...(engagement?.opened ? [t.news.opened(engagement.opened.count)] : []),
    ...(engagement?.clicked ? [t.news.clicked(engagement.clicked.count)] : []),
  ];
}

// The server has cleaned the HTML: every tag is whole, every value stands in double quotes, and no
// text holds a "<". Read from the beginning, tag by tag: a value may hold anything else.
const TAG = /<(\/?)([a-z][a-z0-9]*)((?:[^>"]|"[^"]*")*)>/gi;
const ATTRIBUTE = /\s([^\s="]+)="([^"]*)"/g;

function plain(value: string): string {
  return value
    .replaceAll("&quot;", '"')
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&nbsp;", "\u00a0")
    .replaceAll("&amp;", "&");
}

function escaped(value: string): string {
  return value.replaceAll("&", "&amp;").replaceAll('"', "&quot;").replaceAll("<", "&lt;");
}

/** A letter's tags, each as `change` wants it. */
function eachTag(
  html: string,
  change: (tag: string, closes: boolean, name: string, attributes: string) => string,
): string {
  return html.replace(TAG, (tag: string, slash: string, name: string, attributes: string) =>
    change(tag, slash === "/", name.toLowerCase(), attributes),
  );
}

/** The attributes of a picture, with its address as `where` says; without one where it says none. */
function withSource(attributes: string, where: (url: string) => string | null): string {
  return attributes.replace(ATTRIBUTE, (whole: string, name: string, value: string) => {
    if (name !== "src") return whole;
    const url = where(plain(value));
    return url === null ? "" : ` src="${escaped(url)}"`;
  });
}

const linked = (url: string) => /^https?:/i.test(url);

function sources(html: string): string[] {
  const found: string[] = [];
  eachTag(html, (tag, _, name, attributes) => {
    if (name === "img")
      withSource(attributes, (url) => {
        found.push(url);
        return null;
      });
    return tag;
  });
  return found;
}

/** How many pictures a letter only links to. */
export function linkedPictures(html: string): number {
  return sources(html).filter(linked).length;
}

/** What `cid:` names (RFC 2392), `null` of any other address. */
function contentId(url: string): string | null {
  if (!/^cid:/i.test(url)) return null;
  try {
    return decodeURIComponent(url.slice(4));
  } catch {
    return url.slice(4);
  }
}

/** The files that stand in a letter's text as pictures, by the addresses it has for them. */
export function inlinePictures(
  html: string,
  files: readonly Attachment[],
): ReadonlyMap<string, Attachment> {
  const found = new Map<string, Attachment>();
  const pictures = files.filter(
    (file) => file.inline && file.url !== null && file.content_type.startsWith("image/"),
  );
  if (pictures.length === 0) return found;
  for (const url of sources(html)) {
    const id = contentId(url);
    const file = id && pictures.find((each) => each.content_id === id);
    if (file) found.set(url, file);
  }
  return found;
}

const STYLE = [
  ":root{color-scheme:only light;background:Canvas;color:CanvasText;overflow-x:auto}",
  "body{margin:0;padding:12px;font:14px/1.45 ui-sans-serif,system-ui,sans-serif}",
  "body{overflow-wrap:anywhere}",
  "img{max-width:100%;height:auto}table{max-width:100%!important}pre{white-space:pre-wrap}",
  "blockquote{margin:4px 0;padding-inline-start:10px;border-inline-start:2px solid GrayText}",
  // Its frame is as high as what is in it: what is as high as its frame would grow with it.
  "[style*=vh]{height:auto!important;min-height:0!important}",
  "summary{width:fit-content;padding:0 8px;cursor:pointer;list-style:none}",
].join("");

/**
 * The page of a letter for its frame. Nothing in it runs, and nothing is fetched but from the hub:
 * the pictures that came with the letter (`inline`), and those that are only linked to where
 * `picture` says, which is `null` as long as nobody has asked to see them.
 */
export function letterPage(
  html: string,
  origin: string,
  picture: ((url: string) => string) | null,
  inline: ReadonlyMap<string, Attachment>,
): string {
  const images = picture === null && inline.size === 0 ? "data:" : `data: ${origin}`;
  const where = (url: string) =>
    linked(url) ? (picture?.(url) ?? null) : (inline.get(url)?.url ?? null);
  const policy = `default-src 'none'; img-src ${images}; style-src 'unsafe-inline'; form-action 'none'`;
  let quotes = 0;
  const body = eachTag(html, (tag, closes, name, attributes) => {
    if (name === "img") return `<img${withSource(attributes, where)}>`;
    if (name !== "blockquote") return tag;
    // Quotes within quotes stay as they are.
    if (!closes) return ++quotes === 1 ? `<details><summary>•••</summary>${tag}` : tag;
    return --quotes === 0 ? `${tag}</details>` : tag;
  });
  return (
    `<!doctype html><html><head><meta charset="utf-8">` +
    `<meta http-equiv="Content-Security-Policy" content="${policy}">` +
    `<base target="_blank"><style>${STYLE}</style></head><body>${body}</body></html>`
  );
}
