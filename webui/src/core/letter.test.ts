import { describe, expect, it } from "vitest";

import { inlinePictures, letterPage, linkedPictures, readLetter, steps } from "./letter";
import { entry } from "../../tests/world";
import { isLetter } from "./timeline";
import type { Attachment, Block, Entry } from "./wire";

const letter = (blocks: Block[], more: Partial<Entry> = {}) =>
  entry("e1", "t1", { subject: "Your order", blocks, ...more });
const NONE = new Map<string, Attachment>();
const ORIGIN = "https://hub.example.com";
const bodyOf = (page: string) => page.slice(page.indexOf("<body>") + 6, page.indexOf("</body>"));

describe("a letter", () => {
  it("is a message with a subject or formatted text, and nothing else", () => {
    expect(isLetter(letter([]))).toBe(true);
    expect(isLetter(entry("e1", "t1", { blocks: [{ type: "html", html: "<p>Hi</p>" }] }))).toBe(
      true,
    );
    expect(isLetter(entry("e1", "t1", { blocks: [{ type: "text", text: "Hi" }] }))).toBe(false);
    expect(isLetter(letter([], { kind: "note" }))).toBe(false);
  });

  it("has its words, quotes, facts and warnings apart", () => {
    const read = readLetter(
      letter([
        { type: "text", text: "Thanks\n" },
        { type: "quote", text: "> Earlier" },
        { type: "text", text: "Ana" },
        {
          type: "fields",
          fields: [
            ["Warning", "The sender may not be who it says"],
            ["Copy to", "ben@example.com"],
          ],
        },
        { type: "buttons", labels: ["Yes", "No"] },
        { type: "html", html: "<p>Thanks</p>" },
      ]),
    );
    expect(read).toEqual({
      words: "Thanks\n\nAna",
      long: false,
      quoted: "> Earlier",
      html: "<p>Thanks</p>",
      facts: [["Copy to", "ben@example.com"]],
      warnings: ["The sender may not be who it says"],
      labels: ["Yes", "No"],
    });
  });

  it("says its plain text when its channel laid nothing out", () => {
    expect(readLetter(letter([{ type: "attachment" }], { text: "Plain " })).words).toBe("Plain");
    expect(readLetter(letter([{ type: "quote", text: "All" }], { text: "All" })).words).toBe("");
  });

  it.each([
    ["one\ntwo\nthree\nfour", false],
    ["one\ntwo\nthree\nfour\nfive", true],
    ["a".repeat(321), true],
  ])("is folded when it is long", (text, long) => {
    expect(readLetter(letter([{ type: "text", text }])).long).toBe(long);
  });
});

describe("how far a letter came", () => {
  const times = { count: 3, first_at: "2026-05-04T09:00:00Z", last_at: "2026-05-04T10:00:00Z" };

  it("is told step by step", () => {
    const engagement = { opened: times, clicked: { ...times, count: 1 }, clicked_url: "https://a" };
    const told = (status: Entry["status"], more: Partial<Entry> = {}) =>
      steps(letter([], { direction: "out", status, engagement: null, ...more }));
    expect(told("pending")).toEqual([]);
    expect(told("sent")).toEqual(["Sent"]);
    expect(told("read")).toEqual(["Sent", "Delivered", "Read"]);
    expect(told("delivered", { engagement })).toEqual([
      "Sent",
      "Delivered",
      "Opened 3×",
      "Clicked",
    ]);
    expect(told(null, { direction: "in" })).toEqual([]);
  });
});

describe("the page of a letter", () => {
  const html =
    '<p>Hi</p><img alt="a > b" src="https://t.example/p.png?a=1&amp;b=2" width="1">' +
    '<img src="cid:logo" alt="Logo"><a href="https://x" title="<img src=">link</a>' +
    '<img alt=" src=" width="9">';

  it("fetches nothing before somebody asks", () => {
    expect(linkedPictures(html)).toBe(1);
    const page = letterPage(html, ORIGIN, null, NONE);
    expect(page).toContain("default-src 'none'; img-src data:; style-src 'unsafe-inline'");
    expect(bodyOf(page)).toBe(
      '<p>Hi</p><img alt="a > b" width="1"><img alt="Logo">' +
        '<a href="https://x" title="<img src=">link</a><img alt=" src=" width="9">',
    );
  });

  it("has pictures from the hub alone once they were asked for", () => {
    const page = letterPage(
      html,
      ORIGIN,
      (url) => `/picture?url=${encodeURIComponent(url)}&x="`,
      NONE,
    );
    expect(page).toContain(`img-src data: ${ORIGIN};`);
    expect(bodyOf(page)).toContain(
      'src="/picture?url=https%3A%2F%2Ft.example%2Fp.png%3Fa%3D1%26b%3D2&amp;x=&quot;" width="1">',
    );
    expect(bodyOf(page)).toContain('<img alt="Logo">');
  });

  it("has the pictures that came with it where they stand", () => {
    const file = (id: string, more: Partial<Attachment> = {}): Attachment => ({
      id,
      name: "logo.png",
      content_type: "image/png",
      size: 1,
      state: "ready",
      reason: null,
      url: `/files/${id}`,
      inline: true,
      mismatched: false,
      content_id: id,
      ...more,
    });
    const logo = file("logo@a b");
    const files = [
      logo,
      file("paper", { inline: false }),
      file("unnamed"),
      file("none", { content_id: null }),
    ];
    const text =
      '<img alt="Logo" src="cid:logo%40a%20b"><img src="CID:paper"><img src="cid:%zz">' +
      '<img src="https://t.example/p.png"><p>cid:unnamed</p>';
    const inline = inlinePictures(text, files);
    expect([...inline]).toEqual([["cid:logo%40a%20b", logo]]);
    const page = letterPage(text, ORIGIN, null, inline);
    expect(page).toContain(`img-src data: ${ORIGIN};`);
    expect(bodyOf(page)).toBe(
      '<img alt="Logo" src="/files/logo@a b"><img><img><img><p>cid:unnamed</p>',
    );
    expect(inlinePictures(text, []).size).toBe(0);
  });

  it("folds what is quoted, the outermost alone", () => {
    const quoted = "<blockquote>a<blockquote>b</blockquote></blockquote><p>c</p>";
    expect(bodyOf(letterPage(quoted, ORIGIN, null, NONE))).toBe(
      "<details><summary>•••</summary><blockquote>a<blockquote>b</blockquote></blockquote>" +
        "</details><p>c</p>",
    );
  });
});
