/** The telephone: calls that go out and come in, and what happens in them. */

import { element } from "./draw.js";

const incoming = [
  ["answer", "Somebody answers"],
  ["nobody", "Nobody answers"],
  ["busy", "Busy"],
  ["voicemail", "Leave a voicemail"],
  ["agent", "A voice agent answers"],
  ["agent_hands_over", "A voice agent hands over"],
  ["hang_up", "Hang up"],
];
const outgoing = [
  ["answer", "Answer"],
  ["decline", "Decline"],
];
const talking = [["hang_up", "Hang up"]];

/** `call(withheld)` has the customer call, `act(id, what, said)` something happen in a call. */
export class Telephone {
  constructor({ call, act }) {
    this.act = act;
    this.said = document.getElementById("call-said");
    document.getElementById("composer").hidden = true;
    document.getElementById("telephone").hidden = false;
    document.getElementById("telephone").addEventListener("submit", (event) => {
      event.preventDefault();
      call(document.getElementById("withheld").checked);
    });
    document.querySelector("label[for=name]").textContent = "Caller name";
    document.getElementById("name-explain").textContent =
      "The name goes with each call that shows the number.";
    // Of calls there are no receipts.
    document.querySelectorAll("[data-receipts]").forEach((field) => (field.hidden = true));
    document.getElementById("no-messages").textContent =
      "Call the business, as the customer would.";
  }

  /** The buttons of a call that is not over; `null` for any other. */
  acts({ id, content }) {
    if (content?.what !== "call" || content.state === "ended") return null;
    const ringing = content.direction === "in" ? incoming : outgoing;
    const choices = content.state === "talking" ? talking : ringing;
    const buttons = choices.map(([what, label]) => {
      const button = element("button", { type: "button", className: "pressable" }, label);
      button.addEventListener("click", () => this.act(id, what, this.said.value));
      return button;
    });
    return element("div", { className: "acts" }, ...buttons);
  }

  /** A new call cannot begin while one lasts. */
  show(messages) {
    const busy = messages.some(({ content }) => content?.state && content.state !== "ended");
    document.getElementById("call").disabled = busy;
  }
}
