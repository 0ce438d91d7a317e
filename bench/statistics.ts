/** Medians with their spread. */

export interface Summary {
  readonly median: number;
  readonly minimum: number;
  readonly maximum: number;
  readonly samples: number;
}

/** The median (of an even count: the mean of the middle two), the extremes and the count. */
export function summarize(values: readonly number[]): Summary {
  if (values.length === 0) throw new RangeError("summarize: no values, expected at least one sample");
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  return {
    median: (sorted[Math.ceil(middle) - 1] + sorted[Math.floor(middle)]) / 2,
    minimum: sorted[0],
    maximum: sorted[sorted.length - 1],
    samples: sorted.length,
  };
}

/** Whether two contenders' check numbers are the same up to f32 rounding over a few steps. */
export function agrees(check: readonly number[], reference: readonly number[], tolerance = 1e-3): boolean {
  if (check.length !== reference.length) return false;
  const scale = Math.max(...reference.map(Math.abs), 1e-30);
  return check.every((value, i) => Math.abs(value - reference[i]) <= tolerance * scale);
}
