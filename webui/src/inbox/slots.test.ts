import { expect, test } from "vitest";

import { Slots } from "./slots";

const of = (slots: Slots, ...ids: string[]) => ids.map((id) => slots.of(id));

test("every row has an element of its own", () => {
  const slots = new Slots();
  expect(of(slots, "a", "b", "a", "c")).toEqual([0, 1, 0, 2]);
});

test("rows that come take the elements of those that went, from the top", () => {
  const slots = new Slots();
  of(slots, "a", "b", "c");
  slots.turn([
    { id: "a", gives: true },
    { id: "b", gives: false },
    { id: "c", gives: true },
  ]);
  expect(of(slots, "x", "b", "y", "z")).toEqual([0, 1, 2, 3]);
});

test("one that is not drawn has none, and what nobody took is not there any more", () => {
  const slots = new Slots();
  of(slots, "a", "b", "c");
  slots.turn([{ id: "b", gives: true }]);
  expect(of(slots, "a", "c")).toEqual([1, 3]);
  slots.turn([{ id: "a", gives: true }]);
  slots.turn([]);
  expect(of(slots, "x")).toEqual([4]);
});

test("what is drawn and was never asked for gives nothing", () => {
  const slots = new Slots();
  slots.turn([{ id: "a", gives: true }]);
  expect(of(slots, "b")).toEqual([0]);
});
