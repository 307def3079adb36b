/** What stands in an avatar: initials, or the last two digits of a bare number. */
export function initials(name: string | null, display: string): string {
  const words = (name ?? "").split(/[\s\-_.]+/u).filter((word) => /^\p{L}/u.test(word));
  if (words.length > 0) {
    const picked = words.length > 1 ? [words[0], words[words.length - 1]] : [words[0]];
    return picked.map((word) => [...(word ?? "")][0]?.toLocaleUpperCase() ?? "").join("");
  }
  const digits = display.replace(/\D/g, "");
  if (digits.length >= 2) return digits.slice(-2);
  return [...display][0]?.toLocaleUpperCase() ?? "?";
}

export function firstName(name: string): string {
  return name.split(/\s+/u)[0] ?? name;
}

/** A file name with its middle left out, so that its end stays readable. */
export function shortenFileName(name: string, most = 28): string {
  const characters = [...name];
  if (characters.length <= most) return name;
  const tail = Math.min(10, Math.floor(most / 3));
  return `${characters.slice(0, most - tail - 1).join("")}…${characters.slice(-tail).join("")}`;
}

/** Bytes in the unit people read. */
export function fileSize(bytes: number, locale?: string): string {
  const units = ["byte", "kilobyte", "megabyte", "gigabyte"] as const;
  let size = bytes;
  let at = 0;
  while (size >= 1000 && at < units.length - 1) {
    size /= 1000;
    at += 1;
  }
  return new Intl.NumberFormat(locale, {
    style: "unit",
    unit: units[at] ?? "byte",
    // Its short name has no plural.
    unitDisplay: at === 0 ? "long" : "short",
    maximumFractionDigits: size < 10 && at > 0 ? 1 : 0,
  }).format(size);
}

/** A count as a badge shows it; the exact number belongs in its title. */
export function badgeCount(count: number): string {
  return count > 999 ? "999+" : String(count);
}
