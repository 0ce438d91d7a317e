/** Arithmetic on affine expressions of loop indices: the addresses of the loop IR. */
import { addSizes, boundsOf, multiplySizes, type Size, sizeKey, subtractSizes } from "../base/size.ts";
import type { Affine, Index } from "./kernel.ts";

export const constantAffine = (constant: Size): Affine => ({ constant, terms: [] });
export const zeroAffine = constantAffine(0);
export const indexAffine = (index: Index): Affine => ({ constant: 0, terms: [{ index, stride: 1 }] });

export function addAffine(a: Affine, b: Affine): Affine {
  const terms = [...a.terms];
  for (const term of b.terms) {
    const at = terms.findIndex((t) => t.index === term.index);
    if (at < 0) terms.push(term);
    else {
      const stride = addSizes(terms[at]!.stride, term.stride);
      if (stride === 0) terms.splice(at, 1);
      else terms[at] = { index: term.index, stride };
    }
  }
  return { constant: addSizes(a.constant, b.constant), terms };
}

export function scaleAffine(a: Affine, factor: Size): Affine {
  if (factor === 0) return zeroAffine;
  if (factor === 1) return a;
  const terms = a.terms.map(({ index, stride }) => ({ index, stride: multiplySizes(stride, factor) }));
  return { constant: multiplySizes(a.constant, factor), terms };
}

export const strideOf = (a: Affine, index: Index): Size =>
  a.terms.find((term) => term.index === index)?.stride ?? 0;

/** The address of the element at `indices` of a view: offset + Σ stride × index. */
export function viewAddress(
  view: { strides: readonly Size[]; offset: Size },
  indices: readonly Affine[],
): Affine {
  let address = constantAffine(view.offset);
  indices.forEach((index, axis) => {
    const stride = view.strides[axis]!;
    if (stride !== 0) address = addAffine(address, scaleAffine(index, stride));
  });
  return address;
}

/** The smallest and largest value when each index runs over 0 … its extent − 1, as sizes (dimensions kept symbolic). */
export function extremesOf(a: Affine, extentOf: (index: Index) => Size): { low: Size; high: Size } {
  let low = a.constant;
  let high = a.constant;
  for (const { index, stride } of a.terms) {
    const extent = extentOf(index);
    if (typeof stride === "number" && typeof extent === "number") {
      if (stride >= 0) high = addSizes(high, stride * (extent - 1));
      else low = addSizes(low, stride * (extent - 1));
      continue;
    }
    const reach = multiplySizes(stride, subtractSizes(extent, 1));
    const { min, max } = boundsOf(stride);
    if (min >= 0) high = addSizes(high, reach);
    else if (max <= 0) low = addSizes(low, reach);
    else {
      high = addSizes(high, Math.max(boundsOf(reach).max, 0));
      low = addSizes(low, Math.min(boundsOf(reach).min, 0));
    }
  }
  return { low, high };
}

export const affineKey = (a: Affine, idOf: (index: Index) => string): string =>
  [sizeKey(a.constant), ...a.terms.map((t) => `${sizeKey(t.stride)}*${idOf(t.index)}`).sort()].join("+");

export function affineText(a: Affine): string {
  const terms = a.terms.map(({ index, stride }) => (stride === 1 ? index.name : `${stride}·${index.name}`));
  if (a.constant !== 0 || terms.length === 0) terms.push(String(a.constant));
  return terms.join(" + ");
}
