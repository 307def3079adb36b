/** The page: one phone at a time, shown as the hub last told it. */

import { drawLine, drawMessage, element, statusOf, sync } from "./draw.js";
import { getJson, postJson, Refused } from "./hub.js";
import { Pictures } from "./pictures.js";

const REMEMBERED = "simulator.number";
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
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  send();
});
ui.text.addEventListener("input", grow);

ui.behaviour.addEventListener("change", () => behave(chosenBehaviour()));
ui.behaviour.addEventListener("submit", (event) => event.preventDefault());
at("normal").addEventListener("click", () => behave({}));
document.addEventListener("visibilitychange", reportSeen);

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
  reported.clear();
  localStorage.setItem(REMEMBERED, number);
  history.replaceState(null, "", `?${new URLSearchParams({ number })}`);
  say("number-problem", "");
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
  sync(
    at("messages"),
    arrived,
    ({ id }) => id,
    (message) => drawMessage(news.number, message),
  );
  sync(at("log"), news.log.toReversed(), ({ number }) => number, drawLine);
  sync(
    at("phones"),
    phones.map((each) => ({ ...each, now: each.number === news.number })),
    ({ number }) => number,
    drawChip,
  );
  showBehaviour(news.behaviour);
  if (before === null || atTheEnd) ui.screen.scrollTop = ui.screen.scrollHeight;
  announce(before, arrived);
  reportSeen();
}

function drawChip({ number, display, now }) {
  const button = element("button", { type: "button", "aria-pressed": String(now) }, display);
  button.addEventListener("click", () => follow(number));
  return element("li", {}, button);
}

/** Say once that something came, to those who cannot see it come. */
function announce(before, arrived) {
  const latest = arrived.at(-1);
  if (before === null || latest === undefined || latest.author === "customer") return;
  if (before.messages.some(({ id }) => id === latest.id)) return;
  say("said", `New message: ${latest.text || "a picture"}`);
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
  if (phone === null || (!text.trim() && pictures.ids.length === 0)) return;
  const message = {
    number: phone.number,
    own_number: ui.ownNumber.value,
    text,
    pictures: pictures.ids,
  };
  ui.text.value = "";
  grow();
  try {
    await postJson("texts", message);
    pictures.take();
    say("send-problem", "");
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    ui.text.value ||= text;
    grow();
    say("send-problem", error.message);
  }
}

async function behave(behaviour) {
  if (phone === null || !ui.behaviour.reportValidity()) return;
  try {
    await postJson("behaviour", { number: phone.number, behaviour });
    say("behaviour-problem", "");
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    say("behaviour-problem", error.message);
  }
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
