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
const directions = { to_hub: "To the hub", from_hub: "From the hub", on_phone: "Customer" };

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
  if (message.content?.what === "call") return callWords(message.content);
  if (message.author === "network") return "From the network";
  if (message.author === "customer") return message.told.includes("text") ? "Sent" : "Sending";
  const [, word] = receiptWords.find(([status]) => message.told.includes(status)) ?? [];
  return word ?? "On its way";
}

const writers = { business: "Business", customer: "Customer", network: "Network" };

/** A message; `acts(message)` is what can be done with it. */
export function drawMessage(number, message, acts) {
  const at = element("time", { dateTime: message.at }, clock.format(new Date(message.at)));
  const status = statusOf(message);
  const bubble = element(
    "li",
    { className: `message ${message.author}` },
    unseen(`${writers[message.author]}: `),
    message.quotedWords
      ? element("blockquote", { className: "quote", dir: "auto" }, message.quotedWords)
      : null,
    drawContent(message.content),
    ...message.pictures.map((picture) => drawPicture(number, picture)),
    message.text ? element("p", { className: "bubble", dir: "auto" }, message.text) : null,
    message.reaction
      ? element("p", { className: "reaction" }, unseen("Reaction: "), message.reaction)
      : null,
    acts(message),
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

const unseen = (words) => element("span", { className: "unseen" }, words);

const outcomes = {
  answered: "Answered, and over",
  missed: "Nobody answered",
  busy: "Busy",
  failed: "Failed",
  voicemail: "Voicemail left",
  canceled: "Hung up before an answer",
};
const callWords = ({ state, outcome }) =>
  ({ ringing: "Rings", talking: "Talking" })[state] ?? outcomes[outcome];

const contents = {
  place: ({ name, address, latitude, longitude }) =>
    ["Location", name, address, `${latitude}, ${longitude}`].filter(Boolean),
  card: ({ name, phone }) => ["Contact card", name, phone].filter(Boolean),
  pressed: ({ label }) => ["Button", label],
  call: (call) =>
    [
      call.direction === "in" ? "Call to the business" : "Call from the business",
      call.withheld ? "Number withheld" : "",
      call.member ? `Rings first: ${call.member}` : "",
    ].filter(Boolean),
  mail: ({ subject, cc, automatic, opened }) =>
    [
      automatic ? "Automatic mail" : "Mail",
      subject || "No subject",
      cc?.length ? `Cc: ${cc.join(", ")}` : "",
      opened ? "Opened" : "",
    ].filter(Boolean),
  odd: ({ kind }) => ["Not passed on", kind],
};

function drawContent(content) {
  const lines = contents[content?.what]?.(content);
  if (!lines) return null;
  return element("div", { className: "content" }, ...lines.map((line) => element("p", {}, line)));
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
