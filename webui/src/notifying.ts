import { browserStorage } from "./platform";

export const KEY = "channel-hub/notifications";
/** Under it stands whose alerts this browser is told while the hub is closed, and a digest of where. */
export const PUSH = "channel-hub/push";
export const WORKER = "/worker.js";

/** Whether this browser can show notifications at all: not every one can, and none without TLS. */
export const isAble = (): boolean => "Notification" in globalThis && "serviceWorker" in navigator;

/** Why this browser can show none, or none while the hub is closed. */
export type Obstacle = "insecure" | "homeScreen" | "unable";

export function obstacle(needed: "Notification" | "PushManager"): Obstacle | null {
  if (!isSecureContext) return "insecure";
  if (isAble() && needed in globalThis) return null;
  // Only phones and tablets know this: there a page that stands on the home screen can.
  const { standalone } = navigator as { standalone?: boolean };
  return standalone === false ? "homeScreen" : "unable";
}

/** Whether this browser may show them, and somebody has said that it is to. */
export function isOn(): boolean {
  return isAble() && Notification.permission === "granted" && browserStorage.get(KEY) === "on";
}

export async function registration(): Promise<ServiceWorkerRegistration | null> {
  return (await navigator.serviceWorker.getRegistration(WORKER)) ?? null;
}
