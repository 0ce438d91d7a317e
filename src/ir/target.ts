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
  /** The data caches next to a processor. */
  readonly caches: { readonly l1: CacheShape; readonly l2: CacheShape };
  readonly threads: number;
  /** Tiles of products that were searched for on this machine; the compiler's estimates choose those of others. */
  readonly tiles?: TileChoices;
}

/** A line may lie in as many places of its set as there are ways. */
export interface CacheShape {
  readonly bytes: number;
  readonly ways: number;
}

/** How a product runs: it changes no sum. */
export interface TileChoice {
  /** The second operand's elements are broadcast, the first one's fill vectors. */
  readonly isExchanged: boolean;
  readonly packsLeft: boolean;
  readonly packsRight: boolean;
  /** Of a tile in registers: rows, and groups of lanes across. */
  readonly height: number;
  readonly groups: number;
}

export interface TileChoices {
  /** Other choices, another stamp; empty: they change while the target is in use, and nothing may be kept. */
  readonly stamp: string;
  /** `product` says what is multiplied by what (`contraction/choices.ts`). */
  of(product: string): TileChoice | undefined;
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
  caches: { l1: { bytes: 32 * 1024, ways: 8 }, l2: { bytes: 512 * 1024, ways: 8 } },
  threads: 1,
};

export const x64Target: TargetDescription = {
  name: "x64",
  arithmetic: "x64",
  lanes: 16,
  vectorRegisters: 32,
  hasScale: true,
  caches: { l1: { bytes: 32 * 1024, ways: 8 }, l2: { bytes: 512 * 1024, ways: 8 } },
  threads: 1,
};
