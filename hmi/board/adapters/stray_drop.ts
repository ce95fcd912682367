/**
 * What is dropped beside the drop zone goes nowhere.
 *
 * @module
 */

/**
 * Refuses drops that nothing on the page has taken: the browser would open the file in place of
 * the board, and what was typed would be lost. Text may still be dropped into a field.
 */
export function refuseStrayDrops(): void {
  for (const type of ["dragover", "drop"] as const) {
    addEventListener(type, (event) => {
      const transfer = event.dataTransfer;
      if (event.defaultPrevented || transfer === null) return;
      const field = event.target instanceof Element &&
        event.target.closest("input, textarea") !== null;
      if (field && !transfer.types.includes("Files")) return;
      event.preventDefault();
      transfer.dropEffect = "none"; // The pointer says so before the button is let go.
    });
  }
}
