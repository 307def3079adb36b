import type { IconName } from "./icons";

export interface MenuItem {
  label: string;
  run: () => void;
  icon?: IconName;
  /** Set on the items of a choice. */
  checked?: boolean;
}

/** The menus are not needed for first paint: fetched when the page is idle, or when opened. */
export const loadMenu = () => import("./Menu.svelte").then((module) => module.default);
