// Shows what the hub tells while no page of it is in view, and leads from a notification to what it is
// about. It is asked for nothing else: pages and files come from the server.

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

/** Milliseconds in which a page says whether it tells; one that sleeps says nothing. */
const ANSWERED = 1_000;

const tabs = () => self.clients.matchAll({ type: "window", includeUncontrolled: true });

/** Whether a page in view tells of that organisation itself. */
function tells(tab, organisation) {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = ({ data }) => resolve(data === true);
    setTimeout(resolve, ANSWERED, false);
    tab.postMessage({ asks: organisation }, [port2]);
  });
}

async function show({ title, tag, body, path, organisation }) {
  const seen = (await tabs()).filter((tab) => tab.visibilityState === "visible");
  const told = await Promise.all(seen.map((tab) => tells(tab, organisation)));
  if (told.includes(true)) return;
  await self.registration.showNotification(title, {
    tag,
    body,
    icon: "/icon-192.png",
    data: { path },
  });
}

self.addEventListener("push", (event) => {
  if (event.data !== null) event.waitUntil(show(event.data.json()));
});

async function lead(path) {
  const [tab] = await tabs();
  if (tab === undefined) return self.clients.openWindow(path);
  tab.postMessage({ path });
  return tab.focus();
}

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(lead(event.notification.data.path));
});
