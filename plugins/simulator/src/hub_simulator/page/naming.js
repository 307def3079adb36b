/** What the customer calls themselves, in the media that tell it. */

/** `save(name)` gives the customer a name, and tells when that is done. */
export class Naming {
  #saved = Promise.resolve();

  constructor({ save }) {
    this.field = document.getElementById("name");
    const form = document.getElementById("naming");
    form.hidden = document.getElementById("name-explain").hidden = false;
    form.addEventListener("submit", (event) => event.preventDefault());
    this.field.addEventListener("change", () => {
      this.field.value = this.field.value.trim();
      this.#saved = Promise.allSettled([save(this.field.value)]);
    });
  }

  /** Done when what was typed last has reached the network, or could not: what is sent then goes
   * with it. */
  get saved() {
    return this.#saved;
  }

  /** The phone's `name`; `anew`: it is another phone's than before. */
  show(name, { anew }) {
    // What somebody is typing is theirs until they leave the field.
    if (anew || this.field !== document.activeElement) this.field.value = name;
  }
}
