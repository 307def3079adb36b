import { describe, expect, it } from "vitest";

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

describe("of a crowd", () => {
  const crowd = {
    tag: "birds",
    text: (count: number) => `${String(count)} birds`,
    action: { label: "Look", run: () => undefined },
  };
  const flock = () => {
    const clock = new TestClock();
    const toasts = new Toasts(clock);
    return {
      clock,
      toasts,
      come: (...birds: string[]) => {
        for (const tag of birds) toasts.add(`a ${tag}`, null, { tag, detail: "sings", crowd });
      },
      texts: () => toasts.shown.get().map((toast) => toast.text),
    };
  };

  it("has one notice of more than three, which counts those to come in its own time", () => {
    const { clock, toasts, come, texts } = flock();
    come("owl", "kite", "owl", "wren");
    expect(texts()).toEqual(["a owl", "a kite", "a wren"]);
    const newest = toasts.shown.get()[2];
    come("tit");
    expect(texts()).toEqual(["5 birds"]);
    const [sum] = toasts.shown.get();
    expect([sum?.id, sum?.detail, sum?.action?.label]).toEqual([newest?.id, "", "Look"]);
    come("owl", "jay");
    expect(texts()).toEqual(["5 birds"]);
    clock.pass(1_000);
    expect(texts()).toEqual(["7 birds"]);
    clock.pass(5_999);
    come("emu");
    expect(texts()).toEqual(["7 birds"]);
    clock.pass(1);
    expect(texts()).toEqual([]);
    come("emu");
    clock.pass(1_000);
    expect(texts()).toEqual(["a emu"]);
  });

  it("stays as long as more come", () => {
    const { clock, come, texts } = flock();
    come("owl", "kite", "wren", "tit");
    for (let at = 0; at < 10; at++) {
      come("jay");
      clock.pass(1_000);
    }
    expect(texts()).toEqual(["14 birds"]);
  });

  it("leaves alone what somebody is at, and what is of no crowd", () => {
    const { toasts, come, texts } = flock();
    toasts.add("saved");
    come("owl", "kite");
    toasts.hold(toasts.shown.get()[1]?.id ?? 0);
    come("wren");
    expect(texts()).toEqual(["saved", "a owl", "2 birds"]);
  });

  it("is not made of others who are there", () => {
    const { toasts, come, texts } = flock();
    for (const text of ["a", "b", "c"]) toasts.add(text);
    come("owl");
    expect(texts()).toEqual(["b", "c", "a owl"]);
  });
});
