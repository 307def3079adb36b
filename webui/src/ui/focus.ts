/** What a person can have the focus on, but for fields: nobody is to type where they did not go. */
const ABLE =
  "a[href], button, summary, [tabindex], select, input:is([type=checkbox], [type=radio])";
/** Parts of a page of which one stays when a part of it goes. */
const PARTS = "dialog, header, [data-column], main";

const ableIn = (part: Element) => [...part.querySelectorAll<HTMLElement>(ABLE)];

/**
 * Remembers where the focus is. What it gives back puts it there again: on the same element, or,
 * where that is gone, on what has come in its place or stands nearest to it.
 */
export function rememberFocus(element: HTMLElement): () => void {
  const part = element.closest(PARTS);
  const around: Element[] = [];
  for (let up = element.parentElement; up !== null && up !== part; up = up.parentElement)
    around.push(up);
  const before = part === null ? [] : ableIn(part);
  const at = before.indexOf(element);

  return () => {
    if (element.isConnected) {
      element.focus();
      return;
    }
    if (part?.isConnected !== true) return;
    const now = ableIn(part).filter((each) => each.checkVisibility() && !each.matches(":disabled"));
    const left = before.slice(0, Math.max(at, 0)).findLast((each) => now.includes(each));
    const place = left === undefined ? 0 : now.indexOf(left) + 1;
    for (const near of [...around.filter((each) => each.isConnected), part]) {
      const inside = now.filter((each) => near.contains(each));
      const next = inside.find((each) => now.indexOf(each) >= place) ?? inside.at(-1);
      if (next === undefined) continue;
      next.focus({ preventScroll: true });
      return;
    }
  };
}

/** Whatever is taken away while it has the focus: the focus goes on beside it, for good. */
export function keepFocus(): () => void {
  let last: HTMLElement | null = null;
  let give: () => void = () => undefined;
  const noted = ({ target }: FocusEvent): void => {
    if (!(target instanceof HTMLElement)) return;
    last = target;
    give = rememberFocus(target);
  };
  // What came in its place may be hidden until it is measured.
  const settle = (frames: number): void => {
    if (document.activeElement !== document.body) return;
    give();
    if (frames > 0)
      requestAnimationFrame(() => {
        settle(frames - 1);
      });
  };
  const watching = new MutationObserver(() => {
    if (last === null || last.isConnected) return;
    if (document.activeElement !== document.body) return;
    last = null;
    settle(3);
  });
  addEventListener("focusin", noted);
  watching.observe(document.body, { childList: true, subtree: true });
  return () => {
    removeEventListener("focusin", noted);
    watching.disconnect();
  };
}

const PAUSE = 1_000;

/**
 * Waits until no key was pressed for a second: what is typed until then is meant for where it goes.
 * Returned: calls it off.
 */
export function whenPaused(then: () => void): () => void {
  let timer: ReturnType<typeof setTimeout>;
  const end = () => {
    clearTimeout(timer);
    removeEventListener("keydown", wait, true);
  };
  const wait = () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      end();
      then();
    }, PAUSE);
  };
  addEventListener("keydown", wait, true);
  wait();
  return end;
}
