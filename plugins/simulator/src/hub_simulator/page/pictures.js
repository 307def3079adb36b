/** Pictures to send with the next message: samples, and files made small enough for a carrier. */

import { element, sync } from "./draw.js";
import { post, Refused } from "./hub.js";

const LONGEST_SIDE = 1600;
const QUALITIES = [0.85, 0.7, 0.5];

/** `problem` is called with words when an upload is refused. */
export class Pictures {
  #chosen = [];

  constructor({ samples, limit, maxBytes, problem }) {
    this.list = document.getElementById("chosen");
    this.menu = document.getElementById("attach");
    this.limit = limit;
    this.maxBytes = maxBytes;
    this.problem = problem;
    const items = samples.map(({ id, label }) => element("li", {}, this.#sampleButton(id, label)));
    document.getElementById("samples").append(...items);
    document.getElementById("upload").addEventListener("change", (event) => this.#upload(event));
    this.menu.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      this.#closeMenu();
      this.menu.querySelector("summary").focus();
    });
    document.addEventListener("pointerdown", (event) => {
      if (!this.menu.contains(event.target)) this.#closeMenu();
    });
  }

  /** The chosen ids; nothing is chosen afterwards. */
  take() {
    const ids = this.#chosen.map(({ id }) => id);
    this.#show([]);
    return ids;
  }

  get ids() {
    return this.#chosen.map(({ id }) => id);
  }

  #sampleButton(id, label) {
    const look = element("img", { src: `picture?id=${id}`, alt: "", loading: "lazy" });
    const button = element("button", { type: "button" }, look, label);
    button.addEventListener("click", () => this.#choose({ id, label }));
    return button;
  }

  async #upload(event) {
    const [file] = event.target.files;
    event.target.value = "";
    if (!file) return;
    try {
      const small = file.size > this.maxBytes ? await shrunk(file, this.maxBytes) : file;
      const query = new URLSearchParams({ name: file.name });
      const kept = await post(`pictures?${query}`, small, small.type);
      this.#choose({ id: kept.id, label: kept.name });
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      this.problem(error.message);
    }
  }

  #choose(picture) {
    const others = this.#chosen.filter(({ id }) => id !== picture.id);
    this.#show([...others, picture].slice(-this.limit));
    this.#closeMenu();
    document.getElementById("text").focus();
  }

  #closeMenu() {
    this.menu.open = false;
  }

  #show(chosen) {
    this.#chosen = chosen;
    this.list.hidden = chosen.length === 0;
    sync(
      this.list,
      chosen,
      ({ id }) => id,
      (picture) => this.#chip(picture),
    );
  }

  #chip({ id, label }) {
    const remove = element("button", { type: "button", "aria-label": `Remove ${label}` }, "×");
    remove.addEventListener("click", () =>
      this.#show(this.#chosen.filter((each) => each.id !== id)),
    );
    return element("li", {}, element("span", {}, label), remove);
  }
}

/** A picture redrawn until it fits, as phones do before they send one. */
async function shrunk(file, maxBytes) {
  const image = await createImageBitmap(file).catch(() => {
    throw new Refused(`${file.name} is too large, and no picture that can be made smaller.`);
  });
  const scale = Math.min(1, LONGEST_SIDE / Math.max(image.width, image.height));
  const canvas = element("canvas", {
    width: Math.round(image.width * scale),
    height: Math.round(image.height * scale),
  });
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  for (const quality of QUALITIES) {
    const blob = await new Promise((done) => canvas.toBlob(done, "image/jpeg", quality));
    if (blob.size <= maxBytes) return blob;
  }
  throw new Refused(`${file.name} is too large even when made smaller.`);
}
