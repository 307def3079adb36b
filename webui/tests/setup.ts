import { cleanup } from "@testing-library/svelte";
import { afterEach } from "vitest";

// What jsdom has no layout for, or leaves out.
globalThis.ResizeObserver ??= class {
  observe(): void {}
  unobserve(): void {}
  disconnect(): void {}
};
globalThis.CSS ??= {} as typeof CSS;
CSS.supports ??= () => true;
CSS.escape ??= (text: string) => text;
window.matchMedia ??= (query: string) =>
  ({
    matches: /min-width/.test(query),
    media: query,
    addEventListener: () => undefined,
    removeEventListener: () => undefined,
  }) as unknown as MediaQueryList;
HTMLDialogElement.prototype.showModal ??= function (this: HTMLDialogElement) {
  this.open = true;
};
HTMLDialogElement.prototype.close ??= function (this: HTMLDialogElement) {
  this.open = false;
};
HTMLElement.prototype.showPopover ??= () => undefined;
Element.prototype.scrollTo ??= () => undefined;

afterEach(cleanup);
