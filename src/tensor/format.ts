/** Values as text: nested brackets, columns aligned, the middle of long axes left out. */
import { type DType, isFloat } from "../base/dtype.ts";
import { type Shape, shapeText } from "../base/shape.ts";

const edge = 3;
const longAxis = 2 * edge + 1;

/** `Tensor f32 (2, 3) on interpreter`, and the values below where given. */
export function tensorText(
  type: { readonly dtype: DType; readonly shape: Shape },
  place: string,
  values?: ArrayLike<number>,
): string {
  const head = `Tensor ${type.dtype} ${shapeText(type.shape)} ${place}`;
  return values === undefined ? head : `${head}\n${valuesText(type, values)}`;
}

/** The elements alone. */
export function valuesText(
  { dtype, shape }: { readonly dtype: DType; readonly shape: Shape },
  values: ArrayLike<number>,
): string {
  const sizes = shape as readonly number[];
  if (sizes.includes(0)) return "[]";
  const format = elementFormat(dtype, shown(sizes, values));
  const width = Math.max(...shown(sizes, values).map((value) => format(value).length));
  const write = (axis: number, offset: number, indent: string): string => {
    if (axis === sizes.length) return format(values[offset]!).padStart(width);
    const stride = sizes.slice(axis + 1).reduce((n, size) => n * size, 1);
    const parts = indices(sizes[axis]!).map((i) =>
      i === undefined ? "…" : write(axis + 1, offset + i * stride, `${indent} `),
    );
    const isInnermost = axis === sizes.length - 1;
    return `[${parts.join(isInnermost ? ", " : `,\n${indent} `)}]`;
  };
  return write(0, 0, "");
}

/** The indices of an axis that are shown; undefined stands for those left out. */
function indices(size: number): (number | undefined)[] {
  const all = Array.from({ length: size }, (_, i) => i);
  return size <= longAxis ? all : [...all.slice(0, edge), undefined, ...all.slice(size - edge)];
}

function shown(sizes: readonly number[], values: ArrayLike<number>): number[] {
  let offsets = [0];
  sizes.forEach((size, axis) => {
    const stride = sizes.slice(axis + 1).reduce((n, s) => n * s, 1);
    const kept = indices(size).filter((i) => i !== undefined);
    offsets = offsets.flatMap((offset) => kept.map((i) => offset + i * stride));
  });
  return offsets.map((offset) => values[offset]!);
}

/** Floats share a number of decimals (four significant digits where they are of similar size); the rest are as they are. */
function elementFormat(dtype: DType, values: readonly number[]): (value: number) => string {
  if (dtype === "bool") return (value) => (value ? "true" : "false");
  if (!isFloat(dtype)) return String;
  const magnitudes = values.filter((v) => Number.isFinite(v) && v !== 0).map(Math.abs);
  const [low, high] = [Math.min(...magnitudes), Math.max(...magnitudes)];
  if (magnitudes.length === 0 || values.every((v) => !Number.isFinite(v) || Number.isInteger(v)))
    return (value) =>
      high >= 1e8 ? numberText(value, (v) => v.toExponential(4)) : numberText(value, String);
  if (high >= 1e6 || low < 1e-4 || high / low > 1e6)
    return (value) => numberText(value, (v) => v.toExponential(4));
  const decimals = Math.min(8, Math.max(4, 4 - Math.floor(Math.log10(high)) - 1));
  return (value) => numberText(value, (v) => v.toFixed(decimals));
}

const numberText = (value: number, finite: (value: number) => string): string =>
  Number.isFinite(value) ? finite(Object.is(value, -0) ? 0 : value) : String(value);
