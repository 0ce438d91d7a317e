/** What the compiler may know about a target: enough to choose tiles and packing, never to choose an order of sums. */
export interface TargetDescription {
  readonly name: string;
  /** Programs of equal arithmetic give equal bits: `wasm` rounds product and sum, `wasm-fma` and `x64` fuse them. */
  readonly arithmetic: "interpreter" | "wasm" | "wasm-fma" | "x64";
  /** f32 elements in one vector register. */
  readonly lanes: number;
  readonly vectorRegisters: number;
  /** Multiplying by powers of two (`scale`) is one instruction. It never changes bits. */
  readonly hasScale: boolean;
  /** Products of bytes four at a time are one instruction; else the two of a pair of 16-bit integers. Sums are the same. */
  readonly hasByteProducts?: boolean;
  readonly cacheBytes: { readonly l1: number; readonly l2: number };
  readonly threads: number;
}

/** Whether a × b + c is rounded once. */
export const fusesMulAdd = ({ arithmetic }: TargetDescription): boolean =>
  arithmetic === "x64" || arithmetic === "wasm-fma";

export const wasmTarget: TargetDescription = {
  name: "wasm",
  arithmetic: "wasm",
  lanes: 4,
  vectorRegisters: 16,
  hasScale: false,
  cacheBytes: { l1: 32 * 1024, l2: 512 * 1024 },
  threads: 1,
};

export const x64Target: TargetDescription = {
  name: "x64",
  arithmetic: "x64",
  lanes: 16,
  vectorRegisters: 32,
  hasScale: true,
  cacheBytes: { l1: 32 * 1024, l2: 512 * 1024 },
  threads: 1,
};
