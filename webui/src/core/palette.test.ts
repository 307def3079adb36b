import { expect, it } from "vitest";

import { matching } from "./palette";

const all = [
  { label: "Mark read or unread" },
  { label: "Go to the inbox", hint: "Messages" },
  { label: "Réné Müller", hint: "+1 202-555-0142" },
  { label: "Needs response, or not" },
  { label: "Unread" },
];
const labels = (query: string) => matching(all, query).map(({ label }) => label);

it("finds what each word of a query begins a word of, what begins with it first", () => {
  expect(labels("")).toHaveLength(all.length);
  expect(labels("  ")).toHaveLength(all.length);
  expect(labels("unr")).toEqual(["Unread", "Mark read or unread"]);
  expect(labels("unr mar")).toEqual(["Mark read or unread"]);
  expect(labels("ead")).toEqual([]);
});

it("knows accents, capitals and what stands beside", () => {
  expect(labels("rene mull")).toEqual(["Réné Müller"]);
  expect(labels("MESS")).toEqual(["Go to the inbox"]);
  expect(labels("0142")).toEqual(["Réné Müller"]);
});
