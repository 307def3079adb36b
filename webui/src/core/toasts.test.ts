import { expect, it } from "vitest";

import { TestClock } from "../../tests/world";
import { Toasts } from "./toasts";

it("shows at most three, each for six seconds unless somebody is at it", () => {
  const clock = new TestClock();
  const toasts = new Toasts(clock);
  for (const text of ["a", "b", "c", "d"]) toasts.add(text);
  expect(toasts.shown.get().map((toast) => toast.text)).toEqual(["b", "c", "d"]);
  const [first] = toasts.shown.get();
  toasts.hold(first?.id ?? 0);
  clock.pass(6_000);
  expect(toasts.shown.get().map((toast) => toast.text)).toEqual(["b"]);
  toasts.resume(first?.id ?? 0);
  clock.pass(6_000);
  expect(toasts.shown.get()).toEqual([]);
});

it("has one notice of a tag, which makes room before what answers a person", () => {
  const toasts = new Toasts(new TestClock());
  const texts = () => toasts.shown.get().map((toast) => toast.text);
  toasts.add("saved");
  for (const text of ["t1", "t2", "t3"]) toasts.add(text, null, { tag: text });
  expect(texts()).toEqual(["saved", "t2", "t3"]);
  toasts.add("t3 again", null, { tag: "t3" });
  expect(texts()).toEqual(["saved", "t2", "t3 again"]);
});
