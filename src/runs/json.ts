/** JSON with the numbers that JSON lacks: NaN and infinities are written as texts and read back. */

const names = ["NaN", "Infinity", "-Infinity"];

export const toJson = (value: unknown, indent?: number): string =>
  JSON.stringify(
    value,
    (_, item) => (typeof item === "number" && !Number.isFinite(item) ? String(item) : item),
    indent,
  );

/** Undefined for what is not JSON: a line that a killed process left unfinished. */
export function jsonOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text, (_, item) => (names.includes(item) ? Number(item) : item));
  } catch {
    return undefined;
  }
}
