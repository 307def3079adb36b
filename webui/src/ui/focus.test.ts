import { afterEach, beforeEach, expect, it, vi } from "vitest";

import { settled } from "../../tests/world";
import { keepFocus, rememberFocus, whenPaused } from "./focus";

let end: () => void;

beforeEach(() => {
  Element.prototype.checkVisibility = () => true;
  document.body.innerHTML = `
    <main>
      <div id="bar"><button id="a">A</button><button id="b">B</button></div>
      <input id="field" />
      <div id="rows"><p><button id="c">C</button></p><p><button id="d">D</button></p></div>
    </main>`;
  end = keepFocus();
});
afterEach(() => {
  end();
});

const at = (id: string) => document.getElementById(id) as HTMLElement;
const focused = () => document.activeElement?.id;

async function gone(id: string, instead = ""): Promise<void> {
  at(id).focus();
  at(id).outerHTML = instead;
  await settled();
}

it("goes on to what has come in the place of what had it", async () => {
  await gone("b", '<button id="new">B again</button>');
  expect(focused()).toBe("new");
});

it("goes on to what stands beside, in the same place first, and never into a field", async () => {
  await gone("b");
  expect(focused()).toBe("a");
  await gone("a");
  expect(focused()).toBe("c");
  await gone("d");
  expect(focused()).toBe("c");
});

it("leaves alone who has the focus elsewhere, and what goes with its whole part", async () => {
  at("b").focus();
  at("b").remove();
  at("field").focus();
  await settled();
  expect(focused()).toBe("field");
  at("c").focus();
  document.querySelector("main")?.remove();
  await settled();
  expect(document.activeElement).toBe(document.body);
});

it("gives the focus back to what had it, or to what is there instead", () => {
  const seen = vi.fn();
  const back = rememberFocus(at("d"));
  at("d").addEventListener("focus", seen);
  back();
  expect(seen).toHaveBeenCalledOnce();
  at("d").remove();
  back();
  expect(focused()).toBe("c");
});

it("waits until nobody has pressed a key for a second", () => {
  vi.useFakeTimers();
  const then = vi.fn();
  const press = (after: number) => {
    vi.advanceTimersByTime(after);
    at("field").dispatchEvent(new KeyboardEvent("keydown", { key: "a", bubbles: true }));
  };
  whenPaused(then);
  for (const after of [900, 900, 900]) press(after);
  expect(then).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1_000);
  expect(then).toHaveBeenCalledOnce();
  press(0);
  vi.advanceTimersByTime(5_000);
  expect(then).toHaveBeenCalledOnce();

  const off = whenPaused(then);
  off();
  vi.advanceTimersByTime(5_000);
  expect(then).toHaveBeenCalledOnce();
  vi.useRealTimers();
});
