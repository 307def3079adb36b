import { KEY, WORKER } from "../../notifying";
import { browserStorage } from "../../platform";

interface Policies {
  createPolicy(
    name: string,
    rules: { createScriptURL: (url: string) => string },
  ): { createScriptURL(url: string): string };
}

/** The one script besides the page's own that the content policy lets be named. */
const { trustedTypes } = globalThis as { trustedTypes?: Policies };
const policy = trustedTypes?.createPolicy("hub-worker", {
  createScriptURL: (url) => {
    if (url !== WORKER) throw new TypeError("There is one worker.");
    return url;
  },
});

/** Asks for the permission, and makes ready what shows notifications; `false`: it was not given. */
export async function switchOn(): Promise<ServiceWorkerRegistration | null> {
  if ((await Notification.requestPermission()) !== "granted") return null;
  const url = policy?.createScriptURL(WORKER) ?? WORKER;
  await navigator.serviceWorker.register(url, { scope: "/" });
  browserStorage.set(KEY, "on");
  return navigator.serviceWorker.ready;
}

/** Nothing is shown from now on. */
export function switchOff(): void {
  browserStorage.remove(KEY);
}
