/** Random kernels for fuzzing code generators against `ir/evaluate.ts`: loop nests, strides, tails, registers, gathers. */
import { computeDType, type DType, encode, type TypedArray } from "../base/dtype.ts";
import { type Dimension, dimension, type Size } from "../base/size.ts";
import type { BinaryOperator, CompareOperator, ScalarDType, UnaryOperator } from "../graph/scalar.ts";
import { addAffine, constantAffine, scaleAffine, strideOf } from "../ir/affine.ts";
import { KernelBuilder } from "../ir/builder.ts";
import type { Affine, Kernel, KernelBuffer, Loop, Register, Value } from "../ir/kernel.ts";
import { extremesOf, kernelBuffer, randomNumbers, zeros } from "./kernels.ts";

export interface RandomKernel {
  readonly kernel: Kernel;
  readonly arrays: readonly TypedArray[];
  readonly dimensions: ReadonlyMap<Dimension, number>;
}

const storageDTypes: readonly DType[] = [
  "f32",
  "f32",
  "f32",
  "f64",
  "f16",
  "bf16",
  "i32",
  "u32",
  "i8",
  "u8",
  "bool",
];
const registerDTypes: readonly ScalarDType[] = ["f32", "f32", "f32", "f64", "i32", "u32", "bool"];
const elements = 600;

export function randomKernel(seed: number): RandomKernel {
  return new Generator(seed).kernel();
}

/** A loop around the place where a statement is built: its index and the largest value it takes. */
interface Around {
  readonly index: Affine;
  readonly last: number;
  readonly mode: Loop["mode"];
}

class Generator {
  private readonly random: () => number;
  private readonly b = new KernelBuilder();
  private readonly inputs: KernelBuffer[] = [];
  private readonly outputs: KernelBuffer[] = [];
  private readonly dimensions = new Map<Dimension, number>();
  private names = 0;

  constructor(seed: number) {
    this.random = randomNumbers(seed * 7919 + 13);
    for (let i = 0; i < 10; i++) this.random();
  }

  kernel(): RandomKernel {
    for (const dtype of ["f32", "i32", this.pick(storageDTypes), this.pick(storageDTypes)] as const)
      this.inputs.push(kernelBuffer(this.name("in"), dtype, elements));
    const statements = 1 + this.below(2);
    for (let i = 0; i < statements; i++) this.nest([], this.below(3));
    const buffers = [...this.inputs, ...this.outputs];
    const kernel = {
      name: "random",
      buffers,
      parameters: [],
      body: this.b.statements,
      cost: { flop: 0, bytes: 0 },
    };
    const arrays = buffers.map((buffer) =>
      buffer.access === "read" ? this.numbers(buffer.dtype) : zeros(buffer.dtype, elements),
    );
    return { kernel, arrays, dimensions: this.dimensions };
  }

  private below(n: number): number {
    return Math.floor(this.random() * n);
  }
  private pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }
  private name(prefix: string): string {
    return `${prefix}${this.names++}`;
  }
  private numbers(dtype: DType): TypedArray {
    const extremes = extremesOf(computeDType(dtype));
    const values = Array.from({ length: elements }, () =>
      this.random() < 0.1 ? this.pick(extremes) : dtype === "bool" ? this.below(2) : this.random() * 40 - 20,
    );
    return encode(dtype, values);
  }

  // ---- loops --------------------------------------------------------------------------------------------------

  private extent(most: number): { size: Size; count: number } {
    const count = this.below(most + 1);
    if (this.random() < 0.6) return { size: count, count };
    const min = Math.min(count, this.below(3));
    const d = dimension(this.name("d"), { min, max: count + this.below(5) });
    this.dimensions.set(d, count);
    return { size: d, count };
  }

  private nest(around: readonly Around[], depth: number): void {
    if (depth === 0) return this.innermost(around);
    const mode = around.length === 0 && this.random() < 0.3 ? "parallel" : "serial";
    const { size, count } = this.extent(5);
    const step = this.random() < 0.3 ? 1 + this.below(3) : 1;
    const inside = (index: Affine): void =>
      this.nest([...around, { index, last: Math.max(0, count - 1), mode }], depth - 1);
    this.b.loop(mode, this.name("i"), size, { step, body: inside, remainder: step > 1 ? inside : undefined });
  }

  private innermost(around: readonly Around[]): void {
    const kind = this.below(4);
    if (kind === 0) return this.map(around, false);
    if (kind === 1) return this.map(around, true);
    if (kind === 2) return this.reduction(around);
    this.b.unrolled(this.name("u"), 1 + this.below(3), (index) =>
      this.store(
        [...around, { index, last: 2, mode: "unrolled" }],
        this.tree(around, this.pick(registerDTypes), 2),
      ),
    );
  }

  private map(around: readonly Around[], lockstep: boolean): void {
    const { size, count } = this.extent(this.random() < 0.3 ? 90 : 20);
    this.b.vector(
      this.name("j"),
      size,
      (index) => {
        const inside: Around[] = [...around, { index, last: Math.max(0, count - 1), mode: "vector" }];
        const many = 1 + this.below(2);
        for (let i = 0; i < many; i++) this.store(inside, this.tree(inside, this.pick(registerDTypes), 3));
      },
      lockstep,
    );
  }

  private reduction(around: readonly Around[]): void {
    const { b } = this;
    const dtype = this.pick(registerDTypes);
    const register: Register = {
      name: this.name("r"),
      dtype,
      count: 1 + this.below(2),
      lanes: this.pick([4, 8, 16, 16]),
    };
    const operator = this.pick(["add", "mul", "min", "max"] as const);
    const { size, count } = this.extent(40);
    const each = (body: (at: Affine) => void): void => b.unrolled(this.name("u"), register.count, body);
    each((at) => b.set(register, b.constant(dtype, dtype === "bool" ? 1 : 2), at));
    b.vector(
      this.name("j"),
      size,
      (index) => {
        const inside: Around[] = [...around, { index, last: Math.max(0, count - 1), mode: "vector" }];
        each((at) => {
          const old = b.read(register, at);
          b.set(register, b.binary(operator, old, this.tree(inside, dtype, 2)), at);
          if (this.random() < 0.3) this.store(inside, old);
        });
      },
      this.random() < 0.5,
    );
    each((at) =>
      this.store(
        [...around, { index: at, last: register.count - 1, mode: "unrolled" }],
        b.combine(register, operator, at),
      ),
    );
  }

  // ---- addresses ----------------------------------------------------------------------------------------------

  /**
   * An address that stays within the elements; with `moves`, every loop's index moves it, and iterations of a parallel
   * loop stay apart: its stride is more than all other loops reach.
   */
  private address(around: readonly Around[], moves: boolean): Affine {
    let low = 0;
    let high = 0;
    let address: Affine = constantAffine(0);
    const innermost = around.length - 1;
    const inwards = around.map((loop, i) => ({ ...loop, i })).reverse();
    inwards.forEach(({ index, last, mode, i }) => {
      const strides = i === innermost ? [1, 1, 1, -1, 2, 3, 0] : [0, 1, 7, 20, -3];
      let stride = this.pick(strides);
      if (moves && stride === 0) stride = 1;
      if (moves && mode === "parallel") stride = high - low + 1;
      const reach = stride * (last + 6);
      if (high - low + Math.abs(reach) >= elements) return;
      low += Math.min(0, reach);
      high += Math.max(0, reach);
      address = addAffine(address, scaleAffine(index, stride));
    });
    return addAffine(address, constantAffine(-low + this.below(elements - (high - low))));
  }

  private store(around: readonly Around[], value: Value): void {
    const dtype = this.pick(storageDTypes.filter((d) => computeDType(d) === value.dtype));
    const buffer = kernelBuffer(this.name("out"), dtype, elements, "write");
    const address = this.address(around, true);
    const last = around[around.length - 1];
    // Lanes and threads must not write one place: the index of their loop has to move the address.
    const moving = around.filter((loop) => loop === last || loop.mode === "parallel");
    if (moving.some(({ index }) => strideOf(address, index.terms[0]!.index) === 0)) return;
    this.outputs.push(buffer);
    this.b.store(buffer, address, value);
  }

  // ---- values -------------------------------------------------------------------------------------------------

  private tree(around: readonly Around[], dtype: ScalarDType, depth: number): Value {
    const { b } = this;
    if (depth === 0 || this.random() < 0.15) return this.leaf(around, dtype);
    const sub = (d: ScalarDType = dtype): Value => this.tree(around, d, depth - 1);
    const isFloat = dtype === "f32" || dtype === "f64";
    const choice = this.random();
    if (choice < 0.2) {
      const floats: UnaryOperator[] = ["neg", "abs", "sqrt", "floor", "ceil", "trunc", "round"];
      const operators: UnaryOperator[] = isFloat
        ? floats
        : dtype === "bool"
          ? ["not"]
          : ["neg", "abs", "not"];
      return b.unary(this.pick(operators), sub());
    }
    if (choice < 0.55) {
      const all: BinaryOperator[] = ["add", "sub", "mul", "min", "max"];
      const floats: BinaryOperator[] = [...all, "div"];
      const bits: BinaryOperator[] = ["and", "or", "xor"];
      const integers: BinaryOperator[] = [...all, ...bits, "div", "remainder", "shiftLeft", "shiftRight"];
      const operators = isFloat ? floats : dtype === "bool" ? [...all, ...bits] : integers;
      return b.binary(this.pick(operators), sub(), sub());
    }
    if (choice < 0.65) return b.mulAdd(sub(), sub(), sub());
    if (choice < 0.75) return b.select(sub("bool"), sub(), sub());
    if (choice < 0.9 && dtype === "bool") {
      const d = this.pick(registerDTypes);
      const compares: CompareOperator[] = [
        "equal",
        "notEqual",
        "less",
        "lessEqual",
        "greater",
        "greaterEqual",
      ];
      return b.compare(this.pick(compares), sub(d), sub(d));
    }
    if (choice < 0.95) return b.convert(dtype, sub(this.pick(registerDTypes)));
    return this.checked(around, sub("bool"), sub());
  }

  private leaf(around: readonly Around[], dtype: ScalarDType): Value {
    const { b } = this;
    const choice = this.random();
    if (choice < 0.15) return b.constant(dtype, this.pick(extremesOf(dtype)));
    if (choice < 0.25) return b.convert(dtype, b.index(this.address(around, false)));
    const buffer = this.pick(this.inputs);
    if (choice < 0.35) return b.convert(dtype, this.gather(around, buffer));
    return b.convert(dtype, b.load(buffer, this.address(around, false)));
  }

  private gather(around: readonly Around[], buffer: KernelBuffer): Value {
    const { b } = this;
    const raw = b.load(this.inputs[1]!, this.address(around, false));
    const size = 1 + this.below(30);
    const site = { check: this.below(4), position: this.address(around, false) };
    const index = b.at(site, () => b.checkIndex(raw, size));
    return b.load(buffer, constantAffine(this.below(20)), [{ index, stride: 1 + this.below(15) }]);
  }

  private checked(around: readonly Around[], condition: Value, x: Value): Value {
    const site = { check: this.below(4), position: this.address(around, false) };
    return this.b.at(site, () => this.b.check(condition, x));
  }
}
