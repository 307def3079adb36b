import { describe, expect, it } from "vitest";

import type { Template } from "../../core/wire";
import { inOrder, piecesOf } from "./templates";

function template(change: Partial<Template>): Template {
  return {
    name: "hello",
    language: "en",
    body: "",
    parameters: [],
    header: null,
    footer: null,
    buttons: [],
    state: "approved",
    reason: null,
    ...change,
  };
}

describe("a template", () => {
  it("has its values marked, however its provider writes them", () => {
    const parameters = ["1", "name"].map((name) => ({ name, example: null }));
    const body = "Hello {{1}}, {name}: {{2}} and {}.";
    const pieces = piecesOf(body, template({ parameters }));
    expect(pieces.map(({ text }) => text).join("")).toBe(body);
    expect(pieces.filter(({ isValue }) => isValue).map(({ text }) => text)).toEqual([
      "{{1}}",
      "{name}",
    ]);
    expect(piecesOf("", template({}))).toEqual([]);
  });

  it("stands beside the same in other languages", () => {
    const all = [
      template({ name: "b", language: "de" }),
      template({ name: "a", language: "en" }),
      template({ name: "a", language: "de" }),
    ];
    expect(inOrder(all).map(({ name, language }) => `${name}/${language}`)).toEqual([
      "a/de",
      "a/en",
      "b/de",
    ]);
  });
});
