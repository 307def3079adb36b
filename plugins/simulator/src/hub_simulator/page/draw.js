/** Values to elements; nothing here asks the hub. */

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const exactClock = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hourCycle: "h23",
  fractionalSecondDigits: 1,
});

const receiptWords = [
  ["read", "Read"],
  ["failed", "Failed"],
  ["delivered", "Delivered"],
  ["sent", "Sent"],
];
const directions = { to_hub: "To the hub", from_hub: "From the hub", on_phone: "On the phone" };

export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in made && name !== "list") made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

/** What each element of a list was drawn from. */
const drawn = new WeakMap();

/**
 * Make `parent` show `items` in order. An element stays as it is while its item does, so that
 * focus, selection and what is folded open stay too.
 */
export function sync(parent, items, key, make) {
  const wanted = new Map(items.map((item) => [String(key(item)), JSON.stringify(item)]));
  const kept = new Map();
  for (const child of [...parent.children]) {
    const { name, state } = drawn.get(child);
    if (wanted.get(name) === state) kept.set(name, child);
    else child.remove();
  }
  items.forEach((item, place) => {
    const name = String(key(item));
    const child = kept.get(name) ?? make(item);
    drawn.set(child, { name, state: wanted.get(name) });
    const there = parent.children[place] ?? null;
    if (there !== child) parent.insertBefore(child, there);
  });
}

export function statusOf(message) {
  if (message.author === "network") return "From the network";
  if (message.author === "customer") return message.told.includes("text") ? "Sent" : "Sending";
  const [, word] = receiptWords.find(([status]) => message.told.includes(status)) ?? [];
  return word ?? "On its way";
}

const writers = { business: "Business", customer: "Customer", network: "Network" };

export function drawMessage(number, message) {
  const at = element("time", { dateTime: message.at }, clock.format(new Date(message.at)));
  const status = statusOf(message);
  const bubble = element(
    "li",
    { className: `message ${message.author}` },
    element("span", { className: "unseen" }, `${writers[message.author]}: `),
    ...message.pictures.map((picture) => drawPicture(number, picture)),
    message.text ? element("p", { className: "bubble", dir: "auto" }, message.text) : null,
    element(
      "p",
      { className: "meta" },
      at,
      " · ",
      element("span", { className: "status" }, status),
    ),
  );
  bubble.classList.toggle("on-its-way", status === "On its way" || status === "Sending");
  bubble.classList.toggle("failed", status === "Failed");
  return bubble;
}

function drawPicture(number, picture) {
  const query = new URLSearchParams({ id: picture.id, number });
  const address = `${picture.held === "hub" ? "attachment" : "picture"}?${query}`;
  if (!picture.content_type.startsWith("image/")) {
    return element("a", { href: address, className: "file", download: picture.name }, picture.name);
  }
  return element("img", { src: address, alt: picture.name, className: "picture", loading: "lazy" });
}

export function drawLine(line) {
  const at = element("time", { dateTime: line.at }, exactClock.format(new Date(line.at)));
  const where = element(
    "span",
    { className: `where ${line.direction}` },
    directions[line.direction],
  );
  const words = element("span", { className: "words" }, line.text);
  if (!line.body) return element("li", {}, element("div", { className: "line" }, at, where, words));
  const summary = element("summary", { className: "line" }, at, where, words);
  return element("li", {}, element("details", {}, summary, element("pre", {}, pretty(line.body))));
}

function pretty(body) {
  try {
    return JSON.stringify(JSON.parse(body), null, 2);
  } catch {
    // The log keeps the beginning of a long body only.
    return body;
  }
}
