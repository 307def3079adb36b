import { createContext } from "svelte";

import { Keyboard, type Command, type Where } from "../core/keys";

/** Carries a command out; `false`: there was nothing to do, and the key does what it does elsewhere. */
type Handler = (at: number) => unknown;
type Handlers = Partial<Record<Command, Handler>>;

function isField(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || target.matches("textarea, select, input"))
  );
}

/** Leads key presses to whoever handles their command on this page. */
export class Keys {
  readonly #keyboard: Keyboard;
  readonly #handlers: Handlers[] = [];
  #held: string | null = null;

  /** `singles`: whether keys that type something elsewhere are commands. */
  constructor(singles: () => boolean) {
    this.#keyboard = new Keyboard(
      () => Date.now(),
      (command) => this.handles(command),
      singles,
    );
  }

  /** Handles commands until called off; the last to say so goes first. */
  on(handlers: Handlers): () => void {
    this.#handlers.push(handlers);
    return () => {
      this.#handlers.splice(this.#handlers.indexOf(handlers), 1);
    };
  }

  handles(command: Command): boolean {
    return this.#handlers.some((each) => each[command] !== undefined);
  }

  /** Carries a command out, as if its key were pressed; says whether there was anything to do. */
  run(command: Command, at = 0): boolean {
    const handler = this.#handlers.findLast((each) => each[command])?.[command];
    return handler !== undefined && handler(at) !== false;
  }

  press(event: KeyboardEvent): void {
    if (event.defaultPrevented || event.isComposing) return;
    const target = event.target instanceof Element ? event.target : null;
    if (target?.closest("dialog, [role=menu]")) return;
    const found = this.#keyboard.read(event, this.#places(target));
    if (!found) return;
    // Enter and Space on a button or link are its own.
    if ((event.key === "Enter" || event.key === " ") && target?.closest("button, a")) return;
    if (this.run(found.command, found.at)) event.preventDefault();
  }

  /** From now on what is typed is kept for a field that is about to be there. */
  hold(): void {
    this.#held = "";
  }

  /** What was typed meanwhile; Enter is the end of a line. */
  release(): string {
    const held = this.#held ?? "";
    this.#held = null;
    return held;
  }

  /** Before anybody else hears of a press: what works while one writes as well. */
  capture(event: KeyboardEvent): void {
    if (this.#held !== null) {
      if (event.key === "Enter") this.#held += "\n";
      else if ([...event.key].length === 1 && !event.ctrlKey && !event.metaKey)
        this.#held += event.key;
      event.preventDefault();
      event.stopPropagation();
      return;
    }
    const target = event.target instanceof Element ? event.target : null;
    const inField = isField(target) && !target?.closest("dialog");
    const named = event.key === "F6" || ((event.ctrlKey || event.metaKey) && !event.altKey);
    if (!inField || !named || event.isComposing) return;
    const found = this.#keyboard.read(event, ["anywhere"]);
    if (!found || !this.run(found.command, found.at)) return;
    event.preventDefault();
    event.stopPropagation();
  }

  #places(target: Element | null): Where[] {
    if (isField(target)) return target?.closest("[data-column=write]") ? ["composer"] : [];
    const column = target?.closest<HTMLElement>("[data-column]")?.dataset["column"];
    return column === "conversation"
      ? ["thread", "anywhere", "approvals", "list"]
      : ["list", "approvals", "anywhere", "thread"];
  }
}

export const [getKeys, setKeys] = createContext<Keys>();
