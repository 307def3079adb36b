/** The page: one phone at a time, shown as the hub last told it. */

import { drawLine, drawMessage, element, statusOf, sync } from "./draw.js";
import { getJson, postJson, Refused } from "./hub.js";
import { Mailbox } from "./mailbox.js";
import { Messenger, summary } from "./messenger.js";
import { Naming } from "./naming.js";
import { Pictures } from "./pictures.js";
import { Telephone } from "./telephone.js";

const NOT_A_NUMBER = 422;
const NEAR_THE_END = 80;
const LONGEST_PAUSE = 15_000;

const at = (id) => document.getElementById(id);
const ui = {
  number: at("number"),
  screen: at("screen"),
  text: at("text"),
  ownNumber: at("own-number"),
  behaviour: at("behaviour"),
};

/** What is shown now; `null` until the first answer. */
let phone = null;
let polling = null;
const reported = new Set();

const setup = await getJson("setup").catch((error) => {
  say("trouble", `${error.message} Reload the page to try again.`);
  throw error;
});
const pictures = new Pictures({
  samples: setup.samples,
  limit: setup.max_pictures,
  maxBytes: setup.max_picture_bytes,
  problem: (words) => say("send-problem", words),
});
/** Whose phone was looked at last; numbers are the same in every medium that has them. */
const REMEMBERED = setup.scheme === "phone" ? "simulator.number" : `simulator.${setup.scheme}`;
const mailbox = setup.features.includes("mail") ? new Mailbox({ act: actOnMail }) : null;
const messenger = new Messenger({ features: setup.features, send: write, react, mailbox });
const naming = setup.features.includes("names") ? new Naming({ save: callThem }) : null;
const telephone = setup.features.includes("calls") ? new Telephone({ call, act }) : null;
document.title = setup.title;
at("title").textContent = setup.title;
ui.text.maxLength = setup.max_length;
ui.ownNumber.append(...setup.own_numbers.map(({ number, display }) => new Option(display, number)));
at("to-row").hidden = setup.own_numbers.length === 1;

at("customer").addEventListener("submit", (event) => {
  event.preventDefault();
  follow(ui.number.value);
});
ui.number.addEventListener("change", () => follow(ui.number.value));

at("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  send();
});
ui.text.addEventListener("keydown", (event) => {
  // A mail has lines; it goes out by the button.
  if (mailbox !== null || event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  send();
});
ui.text.addEventListener("input", grow);

ui.behaviour.addEventListener("change", () => behave(chosenBehaviour()));
ui.behaviour.addEventListener("submit", (event) => event.preventDefault());
at("normal").addEventListener("click", () => behave({}));
document.addEventListener("visibilitychange", reportSeen);

/** What is drawn anew while it is pressed would take the press away. */
const LONGEST_PRESS = 2000;
let released = Promise.resolve();
document.addEventListener("pointerdown", () => {
  released = new Promise((done) => {
    setTimeout(done, LONGEST_PRESS);
    // The click itself comes after the pointer went up.
    for (const end of ["pointerup", "pointercancel"])
      document.addEventListener(end, () => setTimeout(done), { once: true });
  });
});

const asked = new URLSearchParams(location.search).get("number");
follow(asked ?? localStorage.getItem(REMEMBERED) ?? "");

/** Show the phone `typed` from now on, and whatever happens to it. */
async function follow(typed) {
  polling?.abort();
  polling = new AbortController();
  const { signal } = polling;
  const query = { number: typed };
  let pause = 500;
  while (!signal.aborted) {
    try {
      const news = await getJson("events", query, signal);
      if (query.since === undefined) chosen(news.phone.number);
      query.number = news.phone.number;
      query.since = news.version;
      pause = 500;
      say("trouble", "");
      await released;
      if (signal.aborted) return;
      show(news);
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof Refused)) throw error;
      if (error.status === NOT_A_NUMBER && query.since === undefined) {
        say("number-problem", error.message);
        ui.number.setAttribute("aria-invalid", "true");
        follow(phone?.number ?? "");
        return;
      }
      say("trouble", `${error.message} Trying again.`);
      await new Promise((done) => setTimeout(done, pause));
      pause = Math.min(LONGEST_PAUSE, pause * 2);
    }
  }
}

function chosen(number) {
  if (phone?.number === number) return;
  phone = null;
  messenger.answer(null);
  reported.clear();
  localStorage.setItem(REMEMBERED, number);
  history.replaceState(null, "", `?${new URLSearchParams({ number })}`);
  say("number-problem", "");
  say("name-problem", "");
  ui.number.removeAttribute("aria-invalid");
}

function show({ phone: news, phones }) {
  const before = phone;
  const atTheEnd =
    ui.screen.scrollHeight - ui.screen.scrollTop - ui.screen.clientHeight < NEAR_THE_END;
  phone = news;
  document.querySelectorAll("[data-waits]").forEach((field) => (field.disabled = false));
  if (before === null) {
    ui.number.value = news.display;
    at("display").textContent = news.display;
    const last = news.messages.findLast((message) => message.author === "business");
    if (last) ui.ownNumber.value = last.own_number;
  }
  const arrived = news.messages.filter((message) => message.arrived);
  at("no-messages").hidden = arrived.length > 0;
  at("no-log").hidden = news.log.length > 0;
  const acts = (message) => (telephone ?? messenger).acts(message);
  sync(
    at("messages"),
    arrived.map((message) => ({ ...message, quotedWords: quotedBy(message) })),
    ({ id }) => id,
    (message) => drawMessage(news.number, message, acts),
  );
  sync(at("log"), news.log.toReversed(), ({ number }) => number, drawLine);
  sync(
    at("phones"),
    phones.map((each) => ({ ...each, now: each.number === news.number })),
    ({ number }) => number,
    drawChip,
  );
  if (before === null)
    at("phones")
      .querySelector("[aria-pressed=true]")
      ?.scrollIntoView({ block: "nearest", inline: "nearest" });
  naming?.show(news.name, { anew: before === null });
  telephone?.show(arrived);
  showBehaviour(news.behaviour);
  if (before === null || atTheEnd) ui.screen.scrollTop = ui.screen.scrollHeight;
  announce(before, arrived);
  reportSeen();
}

function quotedBy({ quoted }) {
  if (!quoted) return "";
  const message = phone.messages.find(({ id }) => id === quoted);
  return message ? summary(message) : "An earlier message";
}

function drawChip({ number, display, now }) {
  const button = element("button", { type: "button", title: display, "aria-pressed": String(now) }, display);
  button.addEventListener("click", () => follow(number));
  return element("li", {}, button);
}

/** Say once that something came, to those who cannot see it come. */
function announce(before, arrived) {
  const latest = arrived.at(-1);
  if (before === null || latest === undefined || latest.author === "customer") return;
  if (before.messages.some(({ id }) => id === latest.id)) return;
  const words = latest.text || (telephone ? "it rings" : "a picture");
  say("said", `New ${telephone ? "call" : "message"}: ${words}`);
}

/** What is on the screen while the page is looked at has been read. */
async function reportSeen() {
  if (phone === null || document.visibilityState !== "visible") return;
  const unread = phone.messages
    .filter((message) => message.reads && statusOf(message) === "Delivered")
    .map(({ id }) => id)
    .filter((id) => !reported.has(id));
  if (unread.length === 0) return;
  unread.forEach((id) => reported.add(id));
  try {
    await postJson("seen", { number: phone.number, messages: unread });
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    unread.forEach((id) => reported.delete(id));
    say("trouble", error.message);
  }
}

async function send() {
  const text = ui.text.value;
  const subject = mailbox?.content.subject ?? "";
  if (phone === null || (!text.trim() && !subject && pictures.ids.length === 0)) return;
  const answered = messenger.answered;
  ui.text.value = "";
  grow();
  const message = { text, pictures: pictures.ids };
  if (answered !== null) message.reply_to = answered;
  if (mailbox !== null) message.content = mailbox.content;
  if (await write(message)) {
    pictures.take();
    messenger.answer(null);
    mailbox?.sent();
    return;
  }
  ui.text.value ||= text;
  grow();
}

/** The customer writes; whether it went out. */
async function write(message) {
  if (phone === null) return false;
  const whose = { number: phone.number, own_number: ui.ownNumber.value };
  await naming?.saved;
  return acted("send-problem", "texts", { ...whose, ...message });
}

function react(message, emoji) {
  return acted("send-problem", "reactions", { number: phone.number, message, emoji });
}

async function call(withheld) {
  const whose = { number: phone.number, own_number: ui.ownNumber.value };
  await naming?.saved;
  return acted("send-problem", "calls", { ...whose, withheld });
}

function act(id, what, said) {
  return acted("send-problem", "call", { number: phone.number, call: id, act: what, said });
}

function actOnMail(message, what, url) {
  return acted("send-problem", "mail", { number: phone.number, message, act: what, url });
}

/** The customer has this name from now on. */
async function callThem(name) {
  if (phone !== null) await acted("name-problem", "name", { number: phone.number, name });
}

/** Have something done; whether it was. What is in the way is said at `place`. */
async function acted(place, path, wanted) {
  try {
    await postJson(path, wanted);
    say(place, "");
    return true;
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    say(place, error.message);
    return false;
  }
}

async function behave(behaviour) {
  if (phone === null || !ui.behaviour.reportValidity()) return;
  await acted("behaviour-problem", "behaviour", { number: phone.number, behaviour });
}

function chosenBehaviour() {
  const behaviour = {};
  for (const field of ui.behaviour.elements) {
    if (!field.name) continue;
    if (field.type === "checkbox") behaviour[field.name] = field.checked;
    else if (field.type === "number" || field.name === "copies")
      behaviour[field.name] = Number(field.value);
    else behaviour[field.name] = field.value;
  }
  return behaviour;
}

function showBehaviour(behaviour) {
  for (const [name, value] of Object.entries(behaviour)) {
    const field = ui.behaviour.elements[name];
    // What somebody is typing is theirs until they leave the field.
    if (field === document.activeElement && field.type === "number") continue;
    if (field.type === "checkbox") field.checked = value;
    else field.value = String(value);
  }
  const names = Object.keys(setup.normal);
  const isNormal = names.every((name) => behaviour[name] === setup.normal[name]);
  say("behaviour-state", isNormal ? "Normal" : "Not normal: as chosen here");
  const { elements } = ui.behaviour;
  elements.busy_times.disabled = behaviour.answer !== "busy";
  elements.reason.disabled = behaviour.answer !== "refuse" && behaviour.receipts !== "failed";
  elements.at_once.disabled = behaviour.copies === 1;
}

function grow() {
  ui.text.style.height = "auto";
  ui.text.style.height = `${Math.min(ui.text.scrollHeight + 2, 140)}px`;
}

function say(id, words) {
  const place = at(id);
  if (place.textContent !== words) place.textContent = words;
}
