import { describe, expect, it } from "vitest";

import { organisationFor, type Asked } from "./organisations";
import type { Organisation } from "./wire";

const [acme, birch, cedar] = ["acme", "birch", "cedar"].map((slug) => ({
  slug,
})) as unknown as [Organisation, Organisation, Organisation];
const all = [acme, birch, cedar];
const asked: Asked = {
  named: null,
  conversation: null,
  last: null,
  has: () => Promise.resolve(false),
};

describe("the organisation of an address", () => {
  it("is the one it names, if that is theirs", async () => {
    expect(await organisationFor(all, { ...asked, named: "birch", last: "acme" })).toBe(birch);
    expect(await organisationFor(all, { ...asked, named: "other" })).toBeNull();
  });

  it("is the one shown last, else the first, when none is named", async () => {
    expect(await organisationFor(all, { ...asked, last: "cedar" })).toBe(cedar);
    expect(await organisationFor(all, { ...asked, last: "gone" })).toBe(acme);
    expect(await organisationFor([], asked)).toBeNull();
  });

  it("is the one that has the conversation, looked for where it is likeliest first", async () => {
    const looked: string[] = [];
    const has: Asked["has"] = ({ slug }) => {
      looked.push(slug);
      return Promise.resolve(slug === "acme");
    };
    const found = await organisationFor(all, { ...asked, conversation: "7", last: "birch", has });
    expect(found).toBe(acme);
    expect(looked).toEqual(["birch", "acme"]);
    expect(await organisationFor([birch], { ...asked, conversation: "7", has })).toBe(birch);
    const nobody = { ...asked, conversation: "8", last: "birch" };
    expect(await organisationFor(all, nobody)).toBe(birch);
  });
});
