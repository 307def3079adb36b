import sound from "./chime.wav";
import { Alerts, type Note } from "./core/alerts";
import type { Inbox } from "./core/inbox";
import { parsePlace } from "./core/place";
import { isOn, PUSH, registration } from "./notifying";
import { browserStorage } from "./platform";
import { router } from "./router.svelte";

/** Milliseconds in which one sound is enough. */
const APART = 3_000;
/** Milliseconds after which a tab asks again that was not the first: to ask takes a while, and in
 * a busy inbox there is much to alert of. */
const AGAIN = 500;

let asked = false;

/** Of all tabs of this browser the first one that may makes the sound, and for a while no other. */
function chime(): void {
  // Without TLS browsers have no locks. Before somebody has touched a page it plays nothing.
  if (asked || !("locks" in navigator) || !navigator.userActivation.hasBeenActive) return;
  asked = true;
  const rung = navigator.locks.request("channel-hub-sound", { ifAvailable: true }, async (lock) => {
    if (lock !== null) await new Audio(sound).play().catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, lock === null ? AGAIN : APART));
  });
  void rung.finally(() => {
    asked = false;
  });
}

async function notify({ title, ...note }: Note): Promise<void> {
  if (!isOn()) return;
  const worker = await registration();
  await worker?.showNotification(title, {
    tag: note.tag,
    body: note.body,
    data: { path: note.path },
  });
}

/** Has this browser told while the hub is closed, as long as this person wants it to be. */
async function keepTold({ ports, person }: Inbox): Promise<void> {
  const wanted = browserStorage.get(PUSH)?.startsWith(`${person.id} `) === true;
  if (!wanted || !isOn()) return;
  try {
    await (await import("./pushing")).switchPushOn(ports.http, person.id);
  } catch {
    // The next page that is opened tries again.
  }
}

/** Alerts of an inbox, and the way from a notification to what it is about; gives what ends them. */
export function begin(inbox: Inbox): () => void {
  const alerts = new Alerts(inbox, {
    chime,
    notify: (note) => void notify(note),
    go: (place) => {
      router.go(place);
    },
  });
  const opened = ({ data, ports }: MessageEvent<unknown>) => {
    if (typeof data !== "object" || data === null) return;
    if ("asks" in data) {
      const live = inbox.stream.state.get() === "live" && inbox.ports.visible.get();
      ports[0]?.postMessage(live && data.asks === inbox.organisation.slug);
    }
    if (!("path" in data)) return;
    const { pathname, search } = new URL(String(data.path), location.origin);
    router.go(parsePlace(pathname, search));
  };
  const { serviceWorker } = navigator as { serviceWorker?: ServiceWorkerContainer };
  serviceWorker?.addEventListener("message", opened);
  const end = alerts.begin();
  void keepTold(inbox);
  return () => {
    serviceWorker?.removeEventListener("message", opened);
    end();
  };
}
