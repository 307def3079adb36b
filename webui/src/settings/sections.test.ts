import { describe, expect, it } from "vitest";

import { organisation } from "../../tests/world";
import { seesSettings, settingsRights } from "../core/rights";
import { formatPlace, parsePlace } from "../core/place";
import { loads } from "./loads";
import { maySee, sections } from "./sections";

describe("the sections of the settings", () => {
  it("are there for whoever is shown the way to them, and for nobody else", () => {
    expect(new Set(sections.map(({ right }) => right))).toEqual(new Set(settingsRights));
    for (const { right } of sections) {
      const member = { ...organisation, capabilities: [right] };
      expect(seesSettings(member)).toBe(true);
      expect(sections.filter((section) => maySee(section, member))).not.toEqual([]);
    }
    const member = { ...organisation, capabilities: ["messages.view", "messages.send"] };
    expect(seesSettings(member)).toBe(false);
    expect(sections.filter((section) => maySee(section, member))).toEqual([]);
  });

  it("have each an address of their own", () => {
    const ids = sections.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    for (const id of ids) {
      const place = { page: "settings", section: id, item: null } as const;
      expect(parsePlace(formatPlace(place), "")).toEqual(place);
    }
  });

  it.each(sections.map((section) => [section.id, section] as const))(
    "%s can be fetched",
    async (_, section) => {
      expect((await loads[section.id]()).default).toBeTypeOf("function");
    },
  );
});
