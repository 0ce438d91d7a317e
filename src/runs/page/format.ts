/** Numbers, times and names as a page shows them. */

export function numberText(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  if (Number.isInteger(value)) return value.toLocaleString("en-US");
  const size = Math.abs(value);
  return size >= 1e6 || size < 1e-4 ? value.toExponential(2) : String(Number(value.toPrecision(4)));
}

export const percentText = (share: number): string => `${(100 * share).toFixed(1)} %`;

export function durationText(seconds: number): string {
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${Math.round(seconds % 60)} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** `validationAccuracy` → `validation accuracy`. */
export const wordsOf = (name: string): string =>
  name.replace(/([a-z0-9])([A-Z])/g, (_, a, b) => `${a} ${b.toLowerCase()}`);

/** Scores of right answers, which people read as percentages. */
export const isShare = (name: string): boolean => /accuracy|precision|recall|f1|auc/i.test(name);

export const scoreText = (name: string, value: number): string =>
  isShare(name) && value >= 0 && value <= 1 ? percentText(value) : numberText(value);
