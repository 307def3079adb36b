import { parseLook, type Look, type Mode, type Theme } from "./core/theme";
import { browserStorage } from "./platform";

const KEY = "hub.theme";
const dark = matchMedia("(prefers-color-scheme: dark)");

/** How the page looks, kept in the browser; the mode follows the system while unset. */
class LookState {
  #look = $state.raw<Look>(parseLook(browserStorage.get(KEY)));
  #system = $state<Mode>(dark.matches ? "dark" : "light");

  constructor() {
    dark.addEventListener("change", () => {
      this.#system = dark.matches ? "dark" : "light";
      this.#draw();
    });
    this.#draw();
  }

  get theme(): Theme {
    return this.#look.theme;
  }

  get mode(): Mode {
    return this.#look.mode ?? this.#system;
  }

  get compact(): boolean {
    return this.#look.compact;
  }

  setCompact(compact: boolean): void {
    this.#set({ ...this.#look, compact });
  }

  setTheme(theme: Theme): void {
    this.#set({ ...this.#look, theme });
  }

  toggleMode(): void {
    this.#set({ ...this.#look, mode: this.mode === "dark" ? "light" : "dark" });
  }

  #set(look: Look): void {
    this.#look = look;
    browserStorage.set(KEY, JSON.stringify(look));
    this.#draw();
  }

  #draw(): void {
    const { dataset } = document.documentElement;
    if (dataset["theme"] === this.theme && dataset["mode"] === this.mode) return;
    // Colours change at once; nothing fades from one look to the other.
    dataset["switching"] = "";
    dataset["theme"] = this.theme;
    dataset["mode"] = this.mode;
    requestAnimationFrame(() =>
      requestAnimationFrame(() => {
        delete dataset["switching"];
      }),
    );
  }
}

export const look = new LookState();
