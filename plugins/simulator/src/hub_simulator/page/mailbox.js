/** What a mail program has besides words and files: subjects, opening, links, no more mail. */

import { element } from "./draw.js";

const LINK = /https?:\/\/[^\s<>"']+/g;

/** `act(id, what, url)` does something with a mail. */
export class Mailbox {
  constructor({ act }) {
    this.act = act;
    this.subject = document.getElementById("subject");
    this.cc = document.getElementById("cc");
    this.automatic = document.getElementById("automatic");
    document.getElementById("mail-fields").hidden = false;
    document.getElementById("number").type = "email";
    document.querySelector("label[for=number]").textContent = "Customer address";
    document.querySelector("label[for=name]").textContent = "Name in From";
    document.getElementById("name-explain").textContent =
      "The name goes with each mail from now on.";
    document.getElementById("own-number").setAttribute("aria-label", "Business address");
    document.getElementById("customer").noValidate = true;
    document.getElementById("no-messages").textContent =
      "Write the first mail, as the customer would.";
    const { receipts, reason } = document.getElementById("behaviour").elements;
    // Nobody tells that mail was read.
    receipts.querySelector("[value=read]").textContent = "Sent, delivered";
    receipts.querySelector("[value=delivered]").hidden = true;
    receipts.querySelector("[value=failed]").textContent = "Sent, then failed (a bounce)";
    reason.querySelector("[value=bad_address]").textContent = "The address cannot be reached";
  }

  /** What the mail being written has besides words. */
  get content() {
    const { subject, automatic } = this;
    const cc = this.cc.value.toLowerCase().split(/[\s,;]+/).filter(Boolean);
    return { what: "mail", subject: subject.value, cc, automatic: automatic.checked };
  }

  sent() {
    this.subject.value = this.cc.value = "";
    this.automatic.checked = false;
  }

  /** `message` is answered by the mail being written; `null`: none is. */
  answers(message) {
    const subject = message?.content?.subject ?? "";
    if (subject) this.subject.value = /^re:/i.test(subject) ? subject : `Re: ${subject}`;
  }

  /** Buttons for what the customer can do with a mail. */
  acts(message) {
    if (message.author !== "business") return [];
    const links = [...new Set(message.text.match(LINK) ?? [])].map((link) =>
      link.replace(/[.,;:!?)]+$/, ""),
    );
    return [
      this.#button(message, "Open", "open"),
      ...links.map((link) => this.#button(message, `Click ${link}`, "click", link)),
      this.#button(message, "Unsubscribe", "unsubscribe"),
      this.#button(message, "Subscribe again", "subscribe"),
    ];
  }

  #button({ id, content }, label, what, url = "") {
    const name = what === "click" ? label : `${label}: ${content?.subject || "mail"}`;
    const button = element("button", { type: "button", "aria-label": name }, label);
    button.addEventListener("click", () => this.act(id, what, url));
    return button;
  }
}
