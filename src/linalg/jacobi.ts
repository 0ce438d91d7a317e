/**
 * Jacobi's rotations, many pairs at a time: the pairs of a round touch no row or column twice, so a round is elementwise over the
 * matrix, its first half beside its second. A tournament's seating brings every pair together once in n − 1 rounds.
 */
import { concat, slice, type Tensor, tensor, where } from "../tensor/index.ts";

/** By an angle: its sine, and the tangent of its half. */
export interface Rotation {
  readonly sine: Tensor;
  readonly halfTangent: Tensor;
}

/** The rotation that makes [[a, c], [c, b]] diagonal: the smaller of the two angles. */
export function rotationFor(a: Tensor, b: Tensor, c: Tensor): Rotation {
  const isDone = c.equal(0) as Tensor;
  const tau = b.sub(a).div(where(isDone, 1, c).mul(2)) as Tensor;
  const root = tau.square().add(1).sqrt();
  const tangent = where(
    isDone,
    0,
    where(tau.less(0), -1, 1).cast(tau.dtype).div(tau.abs().add(root)),
  ) as Tensor;
  const cosine = tangent.square().add(1).rsqrt() as Tensor;
  const sine = tangent.mul(cosine) as Tensor;
  return { sine, halfTangent: sine.div(cosine.add(1)) as Tensor };
}

/** The first and the second half of the columns (axis −1) or rows (axis −2). */
export function halves(x: Tensor, axis: -1 | -2): [Tensor, Tensor] {
  const half = (x.shape[x.shape.length + axis] as number) / 2;
  return [part(x, axis, 0, half), part(x, axis, half, 2 * half)];
}

/**
 * Each column (axis −1) or row (axis −2) of the first half rotated against the one at its place in the second, then all seated for
 * the next round; rotations (…, n/2). Small angles change little and so add little error, which cos·p − sin·q does not give (Rutishauser 1966).
 */
export function rotate(x: Tensor, { sine, halfTangent }: Rotation, axis: -1 | -2): Tensor {
  const [s, t] = [sine, halfTangent].map((each) => each.expandDims(axis === -1 ? -2 : -1));
  const [p, q] = halves(x, axis);
  const [top, bottom] = [p.sub(q.add(p.mul(t!)).mul(s!)), q.add(p.sub(q.mul(t!)).mul(s!))];
  return seated(top as Tensor, bottom as Tensor, axis);
}

/** The tournament's next round: the first of the top stays, all others move on by one place round the table. */
function seated(top: Tensor, bottom: Tensor, axis: -1 | -2): Tensor {
  const half = top.shape[top.shape.length + axis] as number;
  if (half === 1) return concat([top, bottom], axis) as Tensor;
  const stays = part(top, axis, 0, 1);
  const along = [part(bottom, axis, 0, 1), part(top, axis, 1, half - 1)];
  const back = [part(bottom, axis, 1, half), part(top, axis, half - 1, half)];
  return concat([stays, ...along, ...back], axis) as Tensor;
}

const part = (x: Tensor, axis: -1 | -2, start: number, stop: number): Tensor =>
  x.at("...", slice(start, stop), ...(axis === -2 ? [slice()] : [])) as Tensor;

/** The places (i32 (…, n)) of the elements in rising order, for any float: by counting, n² comparisons. */
export function risingOrder(values: Tensor): Tensor {
  const [own, other] = [values.expandDims(-1), values.expandDims(-2)] as [Tensor, Tensor];
  const n = values.shape[values.shape.length - 1] as number;
  const index = Array.from({ length: n }, (_, i) => i);
  const places = tensorOf(index);
  const isEarlier = places.expandDims(-2).less(places.expandDims(-1));
  const rank = other.less(own).or(other.equal(own).and(isEarlier)).cast("i32").sum(-1) as Tensor; // (…, n)
  const isAtPlace = rank.expandDims(-2).equal(places.expandDims(-1)); // (…, place, element)
  return where(isAtPlace, places, 0).sum(-1).cast("i32") as Tensor;
}

const tensorOf = (values: readonly number[]): Tensor => tensor(values, { dtype: "i32" }) as unknown as Tensor;
