/** A table as text, for a terminal. */
import { cellAt, dateText, type TableColumn } from "./column.ts";

const widestCell = 32;

/** Lines of aligned columns: the first `rows` rows; numbers to the right. */
export function tableText(columns: ReadonlyMap<string, TableColumn>, rows: number): string {
  const cells = [...columns].map(([name, column]) => {
    const texts = Array.from({ length: rows }, (_, row) => shortened(displayed(column, row)));
    const width = Math.max(...[shortened(name), ...texts].map((text) => text.length));
    const isRight = column.kind === "number";
    const aligned = [shortened(name), ...texts].map((text) =>
      isRight ? text.padStart(width) : text.padEnd(width),
    );
    return aligned;
  });
  return Array.from({ length: rows + 1 }, (_, row) =>
    cells
      .map((column) => column[row]!)
      .join("  ")
      .trimEnd(),
  ).join("\n");
}

/** "·" is missing. */
function displayed(column: TableColumn, row: number): string {
  const cell = cellAt(column, row);
  if (cell === null) return "·";
  if (typeof cell === "number") return numberText(cell);
  if (cell instanceof Date) return dateText(cell.getTime());
  return String(cell).replace(/[\u0000-\u001f\u007f-\u009f]/g, "␣");
}

/** Six significant digits at most, whole numbers in full. */
function numberText(value: number): string {
  if (Number.isInteger(value) && Math.abs(value) < 1e15) return String(value);
  return String(Number(value.toPrecision(6)));
}

const shortened = (text: string): string =>
  text.length <= widestCell ? text : `${text.slice(0, widestCell - 1)}…`;
