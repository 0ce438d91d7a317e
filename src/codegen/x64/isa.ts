/** What one instruction set offers the code generator. One generator serves all: it asks these facts, never a name. */

/** How many elements an operation takes at once, and in which registers. */
export interface Shape {
  readonly bits: 128 | 256 | 512;
  /** 32-bit elements. */
  readonly lanes: number;
  /** Registers that as many f64 take. */
  readonly wideParts: 1 | 2;
  /** Conditions live in mask registers; else in vectors of all ones or zeros. */
  readonly hasMaskRegisters: boolean;
}

export interface Isa {
  readonly name: "avx2" | "avx512";
  readonly vectorRegisters: 16 | 32;
  /** The widest. */
  readonly vector: Shape;
  /** Any logic of three operands is one instruction, at every width. */
  readonly hasTernaryLogic: boolean;
  /** f32 times powers of two is one instruction. */
  readonly hasScale: boolean;
  /** Sums of products of bytes, and of 16-bit integers, are one instruction (AVX-512 VNNI). */
  readonly hasByteProducts: boolean;
  /** Asking for the next row of a matrix while one is worked on pays (`rows-ahead.ts`); so it was measured, where it is true. */
  readonly fetchesRows: boolean;
  /** From wide to narrow: a kernel uses the widest whose lanes divide those of all its registers. */
  readonly shapes: readonly Shape[];
}

const ymm: Shape = { bits: 256, lanes: 8, wideParts: 2, hasMaskRegisters: false };
const zmm: Shape = { bits: 512, lanes: 16, wideParts: 2, hasMaskRegisters: true };

/** One element, in the low lane of an xmm: the same code for every instruction set. */
export const scalarShape: Shape = { bits: 128, lanes: 1, wideParts: 1, hasMaskRegisters: false };

export const avx2: Isa = {
  name: "avx2",
  vectorRegisters: 16,
  vector: ymm,
  hasTernaryLogic: false,
  hasScale: false,
  hasByteProducts: false,
  fetchesRows: false,
  shapes: [ymm, scalarShape],
};

/** Needs F, VL, DQ, BW and CD. */
export const avx512: Isa = {
  name: "avx512",
  vectorRegisters: 32,
  vector: zmm,
  hasTernaryLogic: true,
  hasScale: true,
  hasByteProducts: false,
  fetchesRows: false,
  shapes: [zmm, ymm, scalarShape],
};

/** Needs VNNI as well. */
export const avx512Vnni: Isa = { ...avx512, hasByteProducts: true };
