import { describe, expect, it, vi } from "vitest";

import { TestClock } from "../../tests/world";
import { RiseGate } from "./rise";

function make() {
  const clock = new TestClock();
  return { clock, gate: new RiseGate(clock), run: vi.fn() };
}

describe("rising", () => {
  it("happens at once when nothing is in the way", () => {
    const { gate, run } = make();
    gate.whenQuiet(run);
    expect(run).toHaveBeenCalledTimes(1);
  });

  it("waits until the pointer has rested for 800 ms", () => {
    const { clock, gate, run } = make();
    gate.touch();
    gate.whenQuiet(run);
    clock.pass(500);
    gate.touch();
    clock.pass(500);
    expect(run).not.toHaveBeenCalled();
    clock.pass(300);
    expect(run).toHaveBeenCalledTimes(1);
  });

  it("waits for no more than two seconds, whatever is held or moved", () => {
    const { clock, gate, run } = make();
    gate.hold();
    gate.whenQuiet(run);
    clock.pass(1999);
    gate.touch();
    expect(run).not.toHaveBeenCalled();
    clock.pass(1);
    expect(run).toHaveBeenCalledTimes(1);
  });

  it("goes on when the pointer leaves, and counts a release as a movement", () => {
    const { clock, gate, run } = make();
    gate.hold();
    gate.release();
    gate.whenQuiet(run);
    clock.pass(100);
    expect(run).not.toHaveBeenCalled();
    gate.leave();
    expect(run).toHaveBeenCalledTimes(1);
    gate.leave();
    expect(run).toHaveBeenCalledTimes(1);
  });
});
