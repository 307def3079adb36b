/** Moves the focus to the next column of the page, or the one before. */
export function moveColumn(step: 1 | -1): void {
  const columns = [...document.querySelectorAll<HTMLElement>("[data-column]")].filter(
    (column) => column.dataset["column"] !== "write",
  );
  const here = columns.findIndex((column) => column.contains(document.activeElement));
  const next = columns[(here + step + columns.length) % columns.length];
  next
    ?.querySelector<HTMLElement>(
      '[aria-current="true"], [role="log"], [aria-pressed="true"], [tabindex="0"], a, button',
    )
    ?.focus();
}
