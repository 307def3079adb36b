import type { Organisation } from "../core/wire";
import { maySee, sections } from "./sections";
import { t } from "./strings";

/** The sections of the settings that a member may open, as somebody looks for them. */
export function settingsFor(
  organisation: Organisation,
): { section: string; label: string; hint: string }[] {
  return sections
    .filter((section) => maySee(section, organisation))
    .map(({ id }) => ({ section: id, label: t.settings.titles[id], hint: t.settings.title }));
}
