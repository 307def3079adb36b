/** Where one is best in a column, the best first. */
const PLACES = [
  'a[aria-current="true"]',
  '[role="log"]',
  '[data-row][tabindex="0"]',
  '[aria-pressed="true"]',
  "a, button",
];

function enter(column: HTMLElement | null | undefined): void {
  for (const place of PLACES) {
    const found = column?.querySelector<HTMLElement>(place);
    if (found) {
      found.focus();
      return;
    }
  }
}

/** Moves the focus to a column of the page, if it is there. */
export function toColumn(name: string): void {
  enter(document.querySelector<HTMLElement>(`[data-column=${name}]`));
}

/** Moves the focus to the next column of the page, or the one before. */
export function moveColumn(step: 1 | -1): void {
  const columns = [...document.querySelectorAll<HTMLElement>("[data-column]")].filter(
    (column) => column.dataset["column"] !== "write",
  );
  const here = columns.findIndex((column) => column.contains(document.activeElement));
  enter(columns[(here + step + columns.length) % columns.length]);
}
