import type { Http } from "./core/http";
import { PUSH, registration } from "./notifying";
import { browserStorage } from "./platform";

const path = "/api/v1/me/push";

function base64url(bytes: ArrayBuffer): string {
  const text = btoa(String.fromCharCode(...new Uint8Array(bytes)));
  return text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** Whether the server tells this browser while the hub is closed. */
export async function isTold(http: Http): Promise<boolean> {
  return (await http.ask((client) => client.GET(path))).data.on;
}

/**
 * Sees to it that this browser is told: by the key that the hub has now, and where the browser's own
 * service expects it now. `whose`: the person's id.
 */
export async function switchPushOn(http: Http, whose: string): Promise<void> {
  const { data } = await http.ask((client) => client.GET(path));
  const manager = (await registration())?.pushManager;
  if (!manager) throw new DOMException("There is no worker.", "NotSupportedError");
  let held = await manager.getSubscription();
  const key = held?.options.applicationServerKey;
  if (held && (!key || base64url(key) !== data.public_key)) {
    await held.unsubscribe();
    held = null;
  }
  held ??= await manager.subscribe({
    userVisibleOnly: true,
    applicationServerKey: data.public_key,
  });
  const { endpoint = "", keys = {} } = held.toJSON();
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(endpoint));
  const mark = `${whose} ${base64url(digest)}`;
  if (data.on && browserStorage.get(PUSH) === mark) return;
  const { p256dh = "", auth = "" } = keys;
  await http.ask((client) => client.PUT(path, { body: { endpoint, keys: { p256dh, auth } } }));
  browserStorage.set(PUSH, mark);
}

/** It is told no more: the browser sees to that by itself, whether or not the server hears of it. */
export async function switchPushOff(http: Http): Promise<void> {
  browserStorage.remove(PUSH);
  if ("PushManager" in globalThis) {
    const held = await (await registration())?.pushManager.getSubscription();
    await held?.unsubscribe();
  }
  await http.ask((client) => client.DELETE(path));
}
