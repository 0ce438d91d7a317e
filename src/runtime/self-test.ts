/**
 * A target proves itself on this machine before it is used: a small function that touches every kernel class must give what
 * its definition, written out below, gives. A processor, engine or driver that computes wrongly is refused with the reason.
 */
import { NetwrightError } from "../base/errors.ts";
import type { HostArray } from "../base/host-array.ts";
import type { GraphFunction } from "../graph/function.ts";
import { Trace, withTrace } from "../graph/trace.ts";
import {
  add,
  broadcastTo,
  cast,
  div,
  dot,
  expandAxes,
  iota,
  mul,
  parameter,
  scalar,
  sub,
  sum,
  transpose,
} from "../ops/index.ts";
import type { Device } from "./device.ts";

const [rows, columns] = [7, 21];

/** x·xᵀ, rows divided by their sums, columns summed: contraction, row, column and map kernels with tails. */
function selfTestFunction(): GraphFunction {
  return withTrace(new Trace("compiled"), () => {
    const x = parameter({ shape: [rows, columns], dtype: "f32" });
    const shifted = add(x, cast(iota([rows, columns], 1), "f32"));
    const shares = div(shifted, expandAxes(sum(shifted, 1), [1], [rows, columns]));
    const products = dot(shares, transpose(sub(x, broadcastTo(scalar(0.5, "f32"), [rows, columns]))));
    return {
      name: "self-test",
      parameters: [x],
      results: [products, sum(mul(products, products), 0)],
      assignments: [],
    };
  });
}

/** What the function gives, by its definition in float64. */
function expected(x: Float32Array): readonly Float64Array[] {
  const products = new Float64Array(rows * rows);
  const squares = new Float64Array(rows);
  for (let i = 0; i < rows; i++) {
    const shifted = Float64Array.from({ length: columns }, (_, j) => x[i * columns + j]! + j);
    const total = shifted.reduce((a, b) => a + b);
    for (let k = 0; k < rows; k++) {
      const product = shifted.reduce((a, value, j) => a + (value / total) * (x[k * columns + j]! - 0.5), 0);
      products[i * rows + k] = product;
      squares[k]! += product * product;
    }
  }
  return [products, squares];
}

/** @throws NetwrightError that says which value differs */
export function selfTest(device: Device): void {
  const data = Float32Array.from({ length: rows * columns }, (_, i) => ((i * 37) % 101) / 50 - 0.9);
  const input: HostArray = { dtype: "f32", shape: [rows, columns], data };
  const executable = device.compile(selfTestFunction());
  const got = executable.run([input]).map((result) => result.readSync());
  executable.dispose();
  expected(data).forEach((values, r) => {
    values.forEach((value, i) => {
      const other = got[r]![i]!;
      if (Math.abs(other - value) <= 1e-4 * (1 + Math.abs(value))) return;
      throw new NetwrightError(
        `target ${device.name} computes wrongly on this machine (self-test result ${r}, element ${i}: ${other}, ` +
          `expected ${value}); set NETWRIGHT_TARGET=interpreter to go on slowly, and please report the processor`,
      );
    });
  });
}
