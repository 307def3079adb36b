import { describe, expect, it } from "vitest";

import { linked } from "./links";

const links = (text: string) => linked(text).flatMap(({ text: each, link }) => (link ? each : []));

describe("addresses in a text", () => {
  it.each([
    ["See https://a.example/x?y=z#1.", ["https://a.example/x?y=z#1"]],
    ["(http://b.example/y), and [https://c.example]", ["http://b.example/y", "https://c.example"]],
    ["https://en.example/Tap_(valve)", ["https://en.example/Tap_(valve)"]],
    ["Look (https://en.example/Tap_(valve)).", ["https://en.example/Tap_(valve)"]],
    ["HTTPS://A.example!", ["HTTPS://A.example"]],
    ['"https://a.example/<b>"', ["https://a.example/"]],
    ["https://a.example/\u202egnp.exe", ["https://a.example/"]],
    ["javascript:alert(1) ftp://a.example xhttps://a.example a.example", []],
    ["https:// http://[ nothing", []],
    ["", []],
  ])("of %j are %j", (text, found) => {
    expect(links(text)).toEqual(found);
    expect(
      linked(text)
        .map((piece) => piece.text)
        .join(""),
    ).toBe(text);
  });
});
