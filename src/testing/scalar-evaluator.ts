/**
 * Runs an op's `expand` on numbers, a block of elements at a time and every instruction rounded to its dtype: to measure
 * an expansion in ulp without any code generator. `fused` makes `mulAdd` round once, as x64 does; else it rounds the product
 * too, as WebAssembly does. `scales`: with the instruction that multiplies by powers of two, as AVX-512 has it.
 */
import { castFloat, roundTo } from "../base/dtype.ts";
import { InternalError } from "../base/errors.ts";
import type { Size } from "../base/size.ts";
import type {
  BinaryOperator,
  CompareOperator,
  ScalarBuilder,
  ScalarDType,
  UnaryOperator,
} from "../graph/scalar.ts";

type Data = Float32Array | Float64Array | Int32Array | Uint32Array | Uint8Array;

/** Elements of one dtype; 0 and 1 for bool. */
export interface Block {
  readonly dtype: ScalarDType;
  readonly data: Data;
}

const arrays = {
  f32: Float32Array,
  f64: Float64Array,
  i32: Int32Array,
  u32: Uint32Array,
  bool: Uint8Array,
} as const;

export const blockOf = (dtype: ScalarDType, values: ArrayLike<number>): Block => ({
  dtype,
  data: arrays[dtype].from(values),
});

/** Evaluates a scalar body on blocks of numbers, operator by operator: what the interpreter does, without a graph. */
export class ScalarEvaluator implements ScalarBuilder<Block> {
  private readonly length: number;
  readonly fuses: boolean;
  readonly scales: boolean;
  private readonly constants = new Map<string, Block>();
  /** Results by order of instruction, used again after a restart. */
  private readonly results: Block[] = [];
  /** Instructions since the start: what an expansion costs. Constants and bitcasts count as nothing. */
  instructionCount = 0;

  constructor({ length, fused, scales = false }: { length: number; fused: boolean; scales?: boolean }) {
    this.length = length;
    this.fuses = fused;
    this.scales = scales;
  }

  /** Before the same expansion runs again on other numbers: its results so far are overwritten. */
  restart(): void {
    this.instructionCount = 0;
  }

  constant(dtype: ScalarDType, value: number): Block {
    const key = `${dtype}${Object.is(value, -0) ? "-0" : value}`;
    let block = this.constants.get(key);
    if (block === undefined) {
      block = { dtype, data: new arrays[dtype](this.length) };
      block.data.fill(value);
      this.constants.set(key, block);
    }
    return block;
  }
  dtypeOf(x: Block): ScalarDType {
    return x.dtype;
  }
  unary(operator: UnaryOperator, x: Block): Block {
    return this.map(x.dtype, unaryLoops[operator], x);
  }
  binary(operator: BinaryOperator, a: Block, b: Block): Block {
    requireSame(operator, a, b);
    return this.map(a.dtype, binaryLoops[operator], a, b);
  }
  compare(operator: CompareOperator, a: Block, b: Block): Block {
    requireSame(operator, a, b);
    return this.map("bool", compareLoops[operator], a, b);
  }
  mulAdd(a: Block, b: Block, c: Block): Block {
    requireSame("mulAdd", a, b);
    requireSame("mulAdd", a, c);
    const { dtype } = a;
    return this.map(dtype, this.fuses && dtype === "f32" ? fusedLoop : mulAddLoop, a, b, c);
  }
  select(condition: Block, whenTrue: Block, whenFalse: Block): Block {
    requireSame("select", whenTrue, whenFalse);
    return this.map(whenTrue.dtype, selectLoop, condition, whenTrue, whenFalse);
  }
  convert(dtype: ScalarDType, x: Block): Block {
    const convert = x.dtype === "f32" || x.dtype === "f64" ? castFloat : roundTo;
    return this.map(
      dtype,
      (out, [from]) => {
        for (let i = 0; i < out.length; i++) out[i] = convert(dtype, from![i]!);
      },
      x,
    );
  }
  bitcast(dtype: ScalarDType, x: Block): Block {
    return { dtype, data: new arrays[dtype](x.data.buffer as ArrayBuffer) };
  }
  checkIndex(x: Block, _size: Size): Block {
    return x;
  }
  check(_condition: Block, x: Block): Block {
    return x;
  }

  private map(dtype: ScalarDType, loop: Loop, ...inputs: readonly Block[]): Block {
    const at = this.instructionCount++;
    let out = this.results[at];
    if (out?.dtype !== dtype) out = this.results[at] = { dtype, data: new arrays[dtype](this.length) };
    loop(
      out.data,
      inputs.map(({ data }) => data),
    );
    return out;
  }
}

type Loop = (out: Data, inputs: readonly Data[]) => void;

function requireSame(what: string, a: Block, b: Block): void {
  if (a.dtype !== b.dtype) throw new InternalError(`${what}: operands are ${a.dtype} and ${b.dtype}`);
}

// Written out one by one: a loop around a shared closure would be called for every element of every sweep.

const unaryLoops: Record<UnaryOperator, Loop> = {
  neg: (out, [x]) => {
    for (let i = 0; i < out.length; i++) out[i] = -x![i]!;
  },
  abs: (out, [x]) => {
    for (let i = 0; i < out.length; i++) out[i] = Math.abs(x![i]!);
  },
  sqrt: (out, [x]) => {
    for (let i = 0; i < out.length; i++) out[i] = Math.sqrt(x![i]!);
  },
  floor: (out, [x]) => {
    for (let i = 0; i < out.length; i++) out[i] = Math.floor(x![i]!);
  },
  ceil: (out, [x]) => {
    for (let i = 0; i < out.length; i++) out[i] = Math.ceil(x![i]!);
  },
  trunc: (out, [x]) => {
    for (let i = 0; i < out.length; i++) out[i] = Math.trunc(x![i]!);
  },
  round: (out, [x]) => {
    for (let i = 0; i < out.length; i++) out[i] = roundHalfEven(x![i]!);
  },
  not: (out, [x]) => {
    const isBool = out instanceof Uint8Array;
    for (let i = 0; i < out.length; i++) out[i] = isBool ? 1 - x![i]! : ~x![i]!;
  },
};

function roundHalfEven(x: number): number {
  const near = Math.round(x);
  return Math.abs(near - x) === 0.5 && near % 2 !== 0 ? near - 1 : near;
}

const isFloatData = (data: Data): boolean => data instanceof Float32Array || data instanceof Float64Array;

const binaryLoops: Record<BinaryOperator, Loop> = {
  add: (out, [a, b]) => {
    for (let i = 0; i < out.length; i++) out[i] = a![i]! + b![i]!;
  },
  sub: (out, [a, b]) => {
    for (let i = 0; i < out.length; i++) out[i] = a![i]! - b![i]!;
  },
  mul: (out, [a, b]) => {
    if (isFloatData(out)) for (let i = 0; i < out.length; i++) out[i] = a![i]! * b![i]!;
    else for (let i = 0; i < out.length; i++) out[i] = Math.imul(a![i]!, b![i]!);
  },
  div: (out, [a, b]) => {
    if (isFloatData(out)) for (let i = 0; i < out.length; i++) out[i] = a![i]! / b![i]!;
    else for (let i = 0; i < out.length; i++) out[i] = b![i] === 0 ? 0 : Math.trunc(a![i]! / b![i]!);
  },
  remainder: (out, [a, b]) => {
    for (let i = 0; i < out.length; i++) out[i] = b![i] === 0 ? 0 : a![i]! % b![i]!;
  },
  min: (out, [a, b]) => {
    for (let i = 0; i < out.length; i++) out[i] = Math.min(a![i]!, b![i]!);
  },
  max: (out, [a, b]) => {
    for (let i = 0; i < out.length; i++) out[i] = Math.max(a![i]!, b![i]!);
  },
  and: (out, [a, b]) => {
    for (let i = 0; i < out.length; i++) out[i] = a![i]! & b![i]!;
  },
  or: (out, [a, b]) => {
    for (let i = 0; i < out.length; i++) out[i] = a![i]! | b![i]!;
  },
  xor: (out, [a, b]) => {
    for (let i = 0; i < out.length; i++) out[i] = a![i]! ^ b![i]!;
  },
  shiftLeft: (out, [a, b]) => {
    for (let i = 0; i < out.length; i++) out[i] = a![i]! << b![i]!;
  },
  shiftRight: (out, [a, b]) => {
    const unsigned = out instanceof Uint32Array;
    for (let i = 0; i < out.length; i++) out[i] = unsigned ? a![i]! >>> b![i]! : a![i]! >> b![i]!;
  },
  scale: (out, [a, b]) => {
    for (let i = 0; i < out.length; i++) out[i] = a![i]! * 2 ** b![i]!;
  },
};

const compareLoops: Record<CompareOperator, Loop> = {
  equal: (out, [a, b]) => {
    for (let i = 0; i < out.length; i++) out[i] = a![i]! === b![i]! ? 1 : 0;
  },
  notEqual: (out, [a, b]) => {
    for (let i = 0; i < out.length; i++) out[i] = a![i]! !== b![i]! ? 1 : 0;
  },
  less: (out, [a, b]) => {
    for (let i = 0; i < out.length; i++) out[i] = a![i]! < b![i]! ? 1 : 0;
  },
  lessEqual: (out, [a, b]) => {
    for (let i = 0; i < out.length; i++) out[i] = a![i]! <= b![i]! ? 1 : 0;
  },
  greater: (out, [a, b]) => {
    for (let i = 0; i < out.length; i++) out[i] = a![i]! > b![i]! ? 1 : 0;
  },
  greaterEqual: (out, [a, b]) => {
    for (let i = 0; i < out.length; i++) out[i] = a![i]! >= b![i]! ? 1 : 0;
  },
};

/** The product of two f32 is exact in f64; rounding the sum twice differs from once in about 1 of 2²⁹ cases, by 1 ulp. */
const fusedLoop: Loop = (out, [a, b, c]) => {
  for (let i = 0; i < out.length; i++) out[i] = a![i]! * b![i]! + c![i]!;
};

const mulAddLoop: Loop = (out, [a, b, c]) => {
  const round = out instanceof Float32Array ? Math.fround : (x: number) => x;
  for (let i = 0; i < out.length; i++) out[i] = round(a![i]! * b![i]!) + c![i]!;
};

const selectLoop: Loop = (out, [condition, a, b]) => {
  for (let i = 0; i < out.length; i++) out[i] = condition![i] ? a![i]! : b![i]!;
};
