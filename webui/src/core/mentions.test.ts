import { describe, expect, it } from "vitest";

import { nameBegun, offered, pieces } from "./mentions";

describe("mentions", () => {
  it("stand out in a note, the longest name first, and nothing is lost", () => {
    const said = (text: string, ...names: string[]) =>
      pieces(text, names).map(({ text: piece, mention }) => (mention ? `[${piece}]` : piece));
    expect(said("Ask @ana ruiz, now", "Ana Ruiz")).toEqual(["Ask ", "[@ana ruiz]", ", now"]);
    expect(said("@Ana Ruiz Lopez", "Ana Ruiz", "Ana Ruiz Lopez")).toEqual(["[@Ana Ruiz Lopez]"]);
    expect(said("@Ben@Ben @Bea", "Ben")).toEqual(["[@Ben]", "[@Ben]", " @Bea"]);
    expect(said("@x @y", "x @y")).toEqual(["[@x @y]"]);
    expect(said("nobody")).toEqual(["nobody"]);
    expect(said("")).toEqual([]);
  });

  it("are offered while a name is written", () => {
    expect(nameBegun("Ask @An", 7)).toEqual({ from: 4, begun: "An" });
    expect(nameBegun("Ask @Ana R", 10)).toEqual({ from: 4, begun: "Ana R" });
    expect(nameBegun("@", 1)).toEqual({ from: 0, begun: "" });
    expect(nameBegun("mail@an", 7)).toBeNull();
    expect(nameBegun("no at sign", 3)).toBeNull();
    expect(nameBegun("@ and", 5)).toBeNull();
    expect(nameBegun("@a\nb", 4)).toBeNull();
    expect(nameBegun(`@${"a".repeat(50)}`, 51)).toBeNull();
    const people = ["Ana Ruiz", "Omar Ana", "Mira Lind"].map((name) => ({ name }));
    const names = (begun: string) => offered(people, begun).map((one) => one.name);
    expect(names("an")).toEqual(["Ana Ruiz", "Omar Ana"]);
    expect(names("LI")).toEqual(["Mira Lind"]);
    expect(names("x")).toEqual([]);
    expect(names("")).toHaveLength(3);
  });
});
