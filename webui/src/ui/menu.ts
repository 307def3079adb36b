import type { IconName } from "./icons";

export interface MenuItem {
  label: string;
  run: () => void;
  icon?: IconName;
  /** Set on the items of a choice. */
  checked?: boolean;
}

interface Size {
  width: number;
  height: number;
}

const GAP = 6;
const EDGE = 8;
/** As in the menu's style. */
const HIGHEST = 384;

/**
 * Where something of a size stands beside its button: below it and ending where it ends, above it
 * where there is no room below, and inside of the window whatever happens.
 */
export function besides(
  button: Pick<DOMRect, "top" | "bottom" | "right">,
  size: Size,
  page: Size,
): { left: number; top: number } {
  const height = Math.min(size.height + 2, HIGHEST, page.height - 2 * EDGE);
  const below = button.bottom + GAP;
  const above = button.top - GAP - height;
  const fits = below + height <= page.height - EDGE;
  const top = fits || above < EDGE ? below : above;
  return {
    left: Math.max(EDGE, Math.min(button.right - size.width, page.width - size.width - EDGE)),
    top: Math.max(EDGE, Math.min(top, page.height - height - EDGE)),
  };
}
