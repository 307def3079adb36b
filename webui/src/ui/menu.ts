import type { IconName } from "./icons";

export interface MenuItem {
  label: string;
  run: () => void;
  icon?: IconName;
  /** Set on the items of a choice. */
  checked?: boolean;
}
