/** Equal values are one, until what they were read from changes. */
import { expect, it } from "vitest";
import { compileProgram } from "../compiler/compile.ts";
import { Trace, withTrace } from "../graph/trace.ts";
import { broadcastTo, exp, max, parameter, reshape, sub, sum } from "../ops/index.ts";
import { KernelBuilder } from "./builder.ts";
import type { Register, Statement, Value } from "./kernel.ts";
import { x64Target } from "./target.ts";

const register: Register = { name: "r", dtype: "f32", count: 1, lanes: 1 };
const other: Register = { ...register, name: "s" };

it("a register is read once until it is set", () => {
  const b = new KernelBuilder();
  const first = b.read(register);
  const doubled = b.binary("add", first, first);
  expect(b.read(register)).toBe(first);
  b.set(other, doubled);
  expect(b.read(register)).toBe(first);
  b.set(register, doubled);
  const second = b.read(register);
  expect(second).not.toBe(first);
  expect(b.binary("add", second, second)).not.toBe(doubled);
});

it("a loop may set a register: it is read anew inside, and after one that does", () => {
  const b = new KernelBuilder();
  const outside = b.read(register);
  const inside: Value[] = [];
  b.serial("i", 3, () => {
    inside.push(b.read(register));
    b.set(other, inside[0]!);
  });
  expect(inside[0]).not.toBe(outside);
  expect(b.read(register)).toBe(outside);
  b.serial("i", 3, () => b.set(register, b.read(other)));
  expect(b.read(register)).not.toBe(outside);
});

it("what a row kernel sums and stores is computed once", () => {
  const { kernels } = withTrace(new Trace("compiled"), () => {
    const x = parameter({ shape: [64, 512], dtype: "f32" });
    const largest = broadcastTo(reshape(max(x, 1), [64, 1]), [64, 512]);
    const e = exp(sub(x, largest));
    const fn = { name: "rows", parameters: [x], results: [e, sum(e, 1)], assignments: [] };
    const { compute } = compileProgram(fn, { target: { ...x64Target, hasScale: false } });
    return { kernels: compute.flatMap((step) => (step.kind === "call" ? [step.kernel] : [])) };
  });
  expect(kernels).toHaveLength(1);
  // One step of eˣ is a shift of the exponent.
  expect(countShifts(kernels[0]!.body)).toBe(1);
});

function countShifts(statements: readonly Statement[]): number {
  return statements.reduce((count, statement) => {
    if (statement.kind === "loop") return count + countShifts([...statement.body, ...statement.remainder]);
    const isShift =
      statement.kind === "define" &&
      statement.value.kind === "binary" &&
      statement.value.operator === "shiftLeft";
    return count + (isShift ? 1 : 0);
  }, 0);
}
