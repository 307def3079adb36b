import { createSubscriber } from "svelte/reactivity";

const TICK = 20_000;

const subscribe = createSubscriber((update) => {
  const timer = setInterval(update, TICK);
  return () => {
    clearInterval(timer);
  };
});

/** The time of day, for whatever says how long ago something was. */
export function now(): number {
  subscribe();
  return Date.now();
}
