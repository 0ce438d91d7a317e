/**
 * Jacobi's rotations, half of all pairs at a time: the pairs of a round touch no row or column twice, so a round is elementwise
 * over the matrix. A tournament's seating brings every pair together once in n − 1 rounds.
 */
import { stack, type Tensor, tensor, where } from "../tensor/index.ts";

/** Where each seat's next guest sits now: seats (0, 1), (2, 3) … play; seat 0 stays, the others move round. */
export function seating(n: number): number[] {
  const half = n / 2;
  const [top, bottom] = [0, 1].map((side) => Array.from({ length: half }, (_, i) => 2 * i + side));
  const nextTop = top!.map((seat, i) => (i === 0 ? seat : i === 1 ? bottom![0]! : top![i - 1]!));
  const nextBottom = bottom!.map((_, i) => (i === half - 1 ? top![half - 1]! : bottom![i + 1]!));
  return n === 2 ? [0, 1] : nextTop.flatMap((seat, i) => [seat, nextBottom[i]!]);
}

export interface Rotation {
  readonly cosine: Tensor;
  readonly sine: Tensor;
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
  return { cosine, sine: tangent.mul(cosine) as Tensor };
}

/** Even and odd columns of (…, m, n) rotated against each other; rotations (…, n/2). */
export function rotateColumns(x: Tensor, { cosine, sine }: Rotation): Tensor {
  const [c, s] = [cosine, sine].map((part) => part.expandDims(-2) as Tensor) as [Tensor, Tensor];
  const [even, odd] = pairs(x);
  const [p, q] = [even.mul(c).sub(odd.mul(s)), even.mul(s).add(odd.mul(c))];
  return stack([p, q], -1).reshape(x.shape) as Tensor;
}

/** Even and odd columns. */
export function pairs(x: Tensor): [Tensor, Tensor] {
  const shape = x.shape as readonly number[];
  const paired = x.reshape([...shape.slice(0, -1), shape[shape.length - 1]! / 2, 2]);
  return [paired.at("...", 0), paired.at("...", 1)] as [Tensor, Tensor];
}

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
