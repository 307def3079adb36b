import { createSubscriber } from "svelte/reactivity";

import type { Cell } from "./core/cell";

const subscribers = new WeakMap<object, () => void>();

/** Reads a cell of the core; what reads it in a component is drawn again when it changes. */
export function live<T>(cell: Cell<T>): T {
  let subscribe = subscribers.get(cell);
  if (!subscribe) {
    subscribe = createSubscriber((update) => cell.subscribe(update));
    subscribers.set(cell, subscribe);
  }
  subscribe();
  return cell.get();
}
