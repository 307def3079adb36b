import { createContext } from "svelte";

import { Keyboard, type Command, type Where } from "../core/keys";

type Handlers = Partial<Record<Command, (at: number) => void>>;

function isField(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || target.matches("textarea, select, input"))
  );
}

/** Leads key presses to whoever handles their command on this page. */
export class Keys {
  readonly #keyboard = new Keyboard(() => Date.now());
  readonly #handlers: Handlers[] = [];

  /** Handles commands until called off; the last to say so goes first. */
  on(handlers: Handlers): () => void {
    this.#handlers.push(handlers);
    return () => {
      this.#handlers.splice(this.#handlers.indexOf(handlers), 1);
    };
  }

  press(event: KeyboardEvent): void {
    if (event.defaultPrevented || event.isComposing) return;
    const target = event.target instanceof Element ? event.target : null;
    if (target?.closest("dialog, [role=menu]")) return;
    const found = this.#keyboard.read(event, this.#places(target));
    if (!found) return;
    // Enter and Space on a button or link are its own.
    if (event.key === "Enter" && target?.closest("button, a")) return;
    const handler = this.#handlers.findLast((each) => each[found.command])?.[found.command];
    if (!handler) return;
    event.preventDefault();
    handler(found.at);
  }

  #places(target: Element | null): Where[] {
    if (isField(target)) return target?.closest("[data-column=write]") ? ["composer"] : [];
    const column = target?.closest<HTMLElement>("[data-column]")?.dataset["column"];
    return column === "conversation"
      ? ["thread", "anywhere", "list"]
      : ["list", "anywhere", "thread"];
  }
}

export const [getKeys, setKeys] = createContext<Keys>();
