/** A curve in one line of text. */

const levels = "▁▂▃▄▅▆▇█";

/**
 * Draws a series as a row of bars, the smallest value lowest and the largest highest; values that are not finite are "×".
 *
 * @param options.width at most this many bars: longer series are averaged in equal pieces (60 unless told otherwise)
 * @example
 * ```ts
 * import { sparkline } from "netwright/report";
 *
 * sparkline([2.3, 1.1, 0.6, 0.4, 0.35, 0.3]); // "█▄▂▁▁▁"
 * ```
 */
export function sparkline(values: readonly number[], { width = 60 }: { width?: number } = {}): string {
  const shown = values.length > width ? averaged(values, width) : values;
  const finite = shown.filter(Number.isFinite);
  const low = Math.min(...finite);
  const span = Math.max(...finite) - low;
  const level = (value: number): number =>
    span === 0 ? 0 : Math.round(((value - low) / span) * (levels.length - 1));
  return shown.map((value) => (Number.isFinite(value) ? levels[level(value)] : "×")).join("");
}

/** `count` means of consecutive pieces, as equal in length as they can be. */
function averaged(values: readonly number[], count: number): number[] {
  return Array.from({ length: count }, (_, i) => {
    const piece = values.slice(
      Math.floor((i * values.length) / count),
      Math.floor(((i + 1) * values.length) / count),
    );
    return piece.reduce((sum, value) => sum + value, 0) / piece.length;
  });
}
