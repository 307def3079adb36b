/** The names of the sprite's symbols; `Sprite.svelte` draws them. */
export const iconNames = [
  "inbox",
  "check",
  "check-check",
  "chevron-down",
  "chevron-left",
  "chevron-right",
  "smartphone",
  "mail",
  "message-square",
  "message-circle",
  "phone",
  "phone-missed",
  "sticky-note",
  "lock",
  "paperclip",
  "send",
  "triangle-alert",
  "clock",
  "moon",
  "sun",
  "info",
  "user",
  "users",
  "user-check",
  "filter",
  "x",
  "log-out",
  "keyboard",
  "refresh-cw",
  "file",
  "file-text",
  "download",
  "external-link",
  "bot",
  "panel-right",
  "search",
  "arrow-down",
  "arrow-up",
  "home",
  "circle-slash",
  "voicemail",
  "globe",
  "monitor-smartphone",
  "rotate-ccw",
  "eye",
  "eye-off",
] as const;

export type IconName = (typeof iconNames)[number];

const known: ReadonlySet<string> = new Set(iconNames);

export function isIconName(name: string): name is IconName {
  return known.has(name);
}
