/** The looks a person can choose; kept in the browser. */
export const themes = ["green", "sky", "gray", "coral"] as const;
export type Theme = (typeof themes)[number];
export type Mode = "light" | "dark";

export interface Look {
  theme: Theme;
  /** `null` follows the system. */
  mode: Mode | null;
  /** Whether rows of the list have one line, where they could have two. */
  compact: boolean;
}

export function parseLook(stored: string | null): Look {
  const look = readLook(stored);
  return {
    theme: themes.find((theme) => theme === look?.theme) ?? "green",
    mode: look?.mode === "light" || look?.mode === "dark" ? look.mode : null,
    compact: look?.compact === true,
  };
}

function readLook(stored: string | null): Partial<Record<keyof Look, unknown>> | null {
  try {
    return JSON.parse(stored ?? "null") as Partial<Record<keyof Look, unknown>> | null;
  } catch {
    return null;
  }
}
