/** What a messenger has besides words and pictures: answers, reactions, places, cards, buttons. */

import { element } from "./draw.js";

const EMOJI = ["👍", "❤️", "😂", "🙏"];
const OTHERS = [
  [
    "A location",
    {
      what: "place",
      latitude: 40.7484,
      longitude: -73.9857,
      name: "My house",
      address: "12 High Street",
    },
  ],
  ["A contact card", { what: "card", name: "Robin, the neighbour", phone: "+1 202-555-0187" }],
  ["A poll, which is not passed on", { what: "odd", kind: "poll" }],
];

/** `mailbox` is what mail has besides. `send(message)` has the customer write, `react(id, emoji)` put an emoji on a message. */
export class Messenger {
  #answered = null;

  constructor({ features, send, react, mailbox }) {
    this.features = new Set(features);
    this.mailbox = mailbox;
    this.send = send;
    this.react = react;
    this.bar = document.getElementById("answering");
    document.getElementById("no-answer").addEventListener("click", () => this.answer(null));
    if (this.features.has("contents")) this.#offer();
  }

  /** The id of the message that the next one answers, if any. */
  get answered() {
    return this.#answered;
  }

  answer(message) {
    this.#answered = message?.id ?? null;
    this.bar.hidden = message === null;
    this.mailbox?.answers(message);
    document.getElementById("answered").textContent = message ? summary(message) : "";
    if (message !== null) document.getElementById("text").focus();
  }

  /** What the customer can do with a message; `null` for nothing. */
  acts(message) {
    if (message.author === "network") return null;
    const acts = element("div", { className: "acts" });
    if (message.author === "business") {
      for (const label of message.content?.buttons ?? []) acts.append(this.#press(message, label));
    }
    if (this.features.has("replies")) {
      const name = `Reply to: ${summary(message)}`;
      const reply = element("button", { type: "button", "aria-label": name }, "Reply");
      reply.addEventListener("click", () => this.answer(message));
      acts.append(reply);
    }
    if (this.features.has("reactions") && message.author === "business") {
      acts.append(this.#reactions(message));
    }
    acts.append(...(this.mailbox?.acts(message) ?? []));
    return acts.children.length ? acts : null;
  }

  #press(message, label) {
    const button = element("button", { type: "button", className: "pressable" }, label);
    button.addEventListener("click", () =>
      this.send({ content: { what: "pressed", label }, reply_to: message.id }),
    );
    return button;
  }

  #reactions(message) {
    const name = `React to: ${summary(message)}`;
    const select = element("select", { className: "reactions", "aria-label": name });
    select.append(
      new Option(message.reaction ? "No reaction" : "React", ""),
      ...EMOJI.map((emoji) => new Option(emoji, emoji)),
    );
    select.value = message.reaction;
    select.addEventListener("change", () => this.react(message.id, select.value || null));
    return select;
  }

  #offer() {
    const list = document.getElementById("contents");
    list.hidden = false;
    for (const [label, content] of OTHERS) {
      const button = element("button", { type: "button" }, label);
      button.addEventListener("click", () => {
        document.getElementById("attach").open = false;
        this.send({ content });
      });
      list.append(element("li", {}, button));
    }
  }
}

/** A message in a few words. */
export function summary({ text, pictures, content }) {
  const words = text || content?.subject || content?.name || content?.label || content?.kind;
  return (words || (pictures.length ? "a picture" : "a message")).slice(0, 60);
}
