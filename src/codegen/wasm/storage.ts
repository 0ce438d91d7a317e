/** Loads and stores: elements as memory holds them, converted to and from the dtype that registers hold. */
import { bytesOf, type DType } from "../../base/dtype.ts";
import { decodeBf16, decodeF16, encodeBf16, encodeF16, scalarBits, vectorBits } from "./bits16.ts";
import type { Emitter, Push } from "./emitter.ts";
import type { MemoryLaneOp, MemoryOp } from "./opcodes.ts";
import { reversedWords, splatScalar, type Vectors } from "./vector.ts";

/** The byte `base` + `offset`; the instructions add the offset themselves. */
export interface Address {
  readonly base: Push;
  readonly offset: number;
}

/** Where four lanes lie: side by side, all at one place, side by side backwards, or each where `lane` says. */
export type LaneAddresses =
  | ({ readonly kind: "unit" | "uniform" | "reversed" } & Address)
  | { readonly kind: "lanes"; lane(index: number): Address };

/** How many of four lanes take part: known, or in a local (1 … 4) with the mask of it. */
export type Active =
  | { readonly kind: "known"; readonly count: number }
  | { readonly kind: "local"; readonly count: Push; readonly mask: Push };

export const allLanes: Active = { kind: "known", count: 4 };

// ---- one element ----------------------------------------------------------------------------------------------

const scalarLoads: Record<DType, MemoryOp> = {
  f32: "f32.load",
  f64: "f64.load",
  f16: "i32.load16_u",
  bf16: "i32.load16_u",
  i32: "i32.load",
  u32: "i32.load",
  i8: "i32.load8_s",
  u8: "i32.load8_u",
  bool: "i32.load8_u",
};

export function pushLoad(e: Emitter, dtype: DType, { base, offset }: Address): void {
  const load = (): void => {
    base();
    e.code.memory(scalarLoads[dtype], offset);
  };
  if (dtype === "f16" || dtype === "bf16") {
    (dtype === "f16" ? decodeF16 : decodeBf16)(scalarBits(e), load)();
    return e.code.op("f32.reinterpret_i32");
  }
  load();
  if (dtype === "bool") {
    e.code.i32(0);
    e.code.op("i32.ne");
  }
}

const scalarStores: Record<DType, MemoryOp> = {
  f32: "f32.store",
  f64: "f64.store",
  f16: "i32.store16",
  bf16: "i32.store16",
  i32: "i32.store",
  u32: "i32.store",
  i8: "i32.store8",
  u8: "i32.store8",
  bool: "i32.store8",
};

export function storeScalar(
  e: Emitter,
  dtype: DType,
  { base, offset }: Address,
  value: Push,
  flush: boolean,
): void {
  let x = value;
  if (flush) x = e.keep("f32", () => pushFlushed(e, value));
  if (dtype === "f16" || dtype === "bf16") {
    const bits = (): void => {
      x();
      e.code.op("i32.reinterpret_f32");
    };
    x = (dtype === "f16" ? encodeF16 : encodeBf16)(scalarBits(e), bits);
  }
  base();
  x();
  e.code.memory(scalarStores[dtype], offset);
}

/** A subnormal as the zero of its sign. */
function pushFlushed(e: Emitter, x: Push): void {
  const zero = e.keep("f32", () => {
    x();
    e.code.op("i32.reinterpret_f32");
    e.code.i32(-(2 ** 31));
    e.code.op("i32.and");
    e.code.op("f32.reinterpret_i32");
  });
  zero();
  x();
  x();
  e.code.op("f32.abs");
  e.code.f32(2 ** -126);
  e.code.op("f32.lt");
  e.code.op("select");
}

// ---- four lanes -----------------------------------------------------------------------------------------------

/** Inactive lanes of a unit access are read too: memory ends with room for it. */
export function loadVector(e: Emitter, dtype: DType, from: LaneAddresses, active: Active): Vectors {
  switch (from.kind) {
    case "uniform":
      return loadUniform(e, dtype, from);
    case "reversed": {
      const load = (): void => {
        pushAt(e, from, -12)();
        e.code.memory("v128.load", Math.max(0, from.offset - 12));
      };
      const value = e.keep("v128", load);
      return [
        () => {
          value();
          value();
          e.code.shuffle(reversedWords);
        },
      ];
    }
    case "unit":
      return loadUnit(e, dtype, from);
    case "lanes":
      return loadLanes(e, dtype, from, active.kind === "known" ? active.count : 4);
  }
}

/** The base for an access `displacement` bytes from an address: what the memory argument cannot hold is added here. */
const pushAt =
  (e: Emitter, { base, offset }: Address, displacement: number): Push =>
  () => {
    base();
    if (offset + displacement >= 0) return;
    e.code.i32(offset + displacement);
    e.code.op("i32.add");
  };

function loadUniform(e: Emitter, dtype: DType, from: Address): Vectors {
  const splat = (op: MemoryOp): Push =>
    e.keep("v128", () => {
      from.base();
      e.code.memory(op, from.offset);
    });
  if (dtype === "f64") {
    const both = splat("v128.load64_splat");
    return [both, both];
  }
  if (dtype === "f32" || dtype === "i32" || dtype === "u32") return [splat("v128.load32_splat")];
  const compute = dtype === "bool" ? "bool" : dtype === "f16" || dtype === "bf16" ? "f32" : "i32";
  return [splatScalar(e, compute, () => pushLoad(e, dtype, from))];
}

function loadUnit(e: Emitter, dtype: DType, { base, offset }: Address): Vectors {
  const load =
    (op: MemoryOp, displacement = 0): Push =>
    () => {
      base();
      e.code.memory(op, offset + displacement);
    };
  switch (dtype) {
    case "f64":
      return [load("v128.load"), load("v128.load", 16)];
    case "f16":
    case "bf16":
      return [widen(e, dtype, load("v128.load16x4_u"))];
    case "i8":
    case "u8":
    case "bool":
      return [
        widen(e, dtype, () => {
          load(dtype === "i8" ? "v128.load8x8_s" : "v128.load8x8_u")();
          e.code.op(dtype === "i8" ? "i32x4.extend_low_i16x8_s" : "i32x4.extend_low_i16x8_u");
        }),
      ];
    default:
      return [load("v128.load")];
  }
}

/** Narrow elements in 32-bit lanes, extended, to the compute dtype. */
function widen(e: Emitter, dtype: DType, x: Push): Push {
  if (dtype === "f16") return decodeF16(vectorBits(e), x);
  if (dtype === "bf16") return decodeBf16(vectorBits(e), x);
  if (dtype !== "bool") return x;
  return () => {
    x();
    e.splat("i32", 0)();
    e.code.op("i32x4.ne");
  };
}

const laneLoads: Record<number, MemoryLaneOp> = {
  1: "v128.load8_lane",
  2: "v128.load16_lane",
  4: "v128.load32_lane",
};

function loadLanes(
  e: Emitter,
  dtype: DType,
  from: Extract<LaneAddresses, { kind: "lanes" }>,
  count: number,
): Vectors {
  const bytes = bytesOf(dtype);
  /** Lanes first … of one vector: the first load zeroes the rest where it can. */
  const gather =
    (first: number, last: number, zero: MemoryOp | undefined, op: MemoryLaneOp, spread: number): Push =>
    () => {
      const target = e.temporary("v128");
      for (let lane = first; lane < Math.max(last, first + 1); lane++) {
        const { base, offset } = from.lane(lane);
        base();
        if (lane === first && zero !== undefined) e.code.memory(zero, offset);
        else {
          if (lane === first) e.splat("i32", 0)();
          else e.code.get(target);
          e.code.memoryLane(op, offset, (lane - first) * spread);
        }
        e.code.set(target);
      }
      e.code.get(target);
    };
  if (dtype === "f64") {
    const part = (first: number): Push =>
      gather(first, Math.min(count, first + 2), "v128.load64_zero", "v128.load64_lane", 1);
    return [part(0), count > 2 ? part(2) : e.splat("f64", 0)];
  }
  const zero = bytes === 4 ? "v128.load32_zero" : undefined;
  const lanes = gather(0, count, zero, laneLoads[bytes]!, 4 / bytes);
  if (dtype !== "i8") return [widen(e, dtype, lanes)];
  const shift = (op: "i32x4.shl" | "i32x4.shr_s"): void => {
    e.code.i32(24);
    e.code.op(op);
  };
  return [
    () => {
      lanes();
      shift("i32x4.shl");
      shift("i32x4.shr_s");
    },
  ];
}

export function storeVector(
  e: Emitter,
  dtype: DType,
  to: LaneAddresses,
  value: Vectors,
  { active, flush }: { readonly active: Active; readonly flush: boolean },
): void {
  const packed = pack(e, dtype, flush ? [flushedVector(e, value[0]!)] : value);
  const oneLane = (lane: number): void => storeLane(e, dtype, to, packed, lane);
  if (to.kind === "unit" && active.kind === "known") return storeUnit(e, dtype, to, packed, active.count);
  if (active.kind === "known") {
    for (let lane = 0; lane < active.count; lane++) oneLane(lane);
    return;
  }
  const byLanes = (): void => {
    oneLane(0);
    for (let lane = 1; lane < 4; lane++) {
      active.count();
      e.code.i32(lane);
      e.code.op("i32.gt_u");
      e.code.if(() => oneLane(lane));
    }
  };
  if (to.kind !== "unit") return byLanes();
  active.count();
  e.code.i32(4);
  e.code.op("i32.eq");
  e.code.if(() => storeUnit(e, dtype, to, packed, 4), byLanes);
}

function flushedVector(e: Emitter, value: Push): Push {
  const x = e.keep("v128", value);
  return () => {
    x();
    x();
    e.splat("i32", 0x7f800000)();
    e.code.op("v128.and");
    e.splat("i32", 0)();
    e.code.op("i32x4.eq");
    e.splat("i32", 0x7fffffff)();
    e.code.op("v128.and");
    e.code.op("v128.andnot");
  };
}

/** Storage elements side by side from the first byte of each vector. */
function pack(e: Emitter, dtype: DType, value: Vectors): Vectors {
  const bytes = bytesOf(dtype);
  if (bytes >= 4) return value.map((part) => e.keep("v128", part));
  let x = value[0]!;
  if (dtype === "f16") x = encodeF16(vectorBits(e), x);
  else if (dtype === "bf16") x = encodeBf16(vectorBits(e), x);
  const words = e.keep("v128", x);
  const lanes = Array.from({ length: 16 }, (_, i) => 4 * Math.floor((i % (4 * bytes)) / bytes) + (i % bytes));
  return [
    e.keep("v128", () => {
      words();
      words();
      e.code.shuffle(lanes);
      if (dtype !== "bool") return;
      e.splat("i32", 0x01010101)();
      e.code.op("v128.and");
    }),
  ];
}

const laneStores: Record<number, MemoryLaneOp> = {
  1: "v128.store8_lane",
  2: "v128.store16_lane",
  4: "v128.store32_lane",
  8: "v128.store64_lane",
};

function storeLane(e: Emitter, dtype: DType, to: LaneAddresses, packed: Vectors, lane: number): void {
  const bytes = bytesOf(dtype);
  const displacement = to.kind === "unit" ? lane * bytes : to.kind === "reversed" ? -lane * bytes : 0;
  const address = to.kind === "lanes" ? to.lane(lane) : to;
  pushAt(e, address, displacement)();
  packed[bytes === 8 ? lane >> 1 : 0]!();
  const offset = Math.max(0, address.offset + displacement);
  e.code.memoryLane(laneStores[bytes]!, offset, bytes === 8 ? lane & 1 : lane);
}

/** `count` elements side by side: the whole vector, or its parts by falling powers of two. */
function storeUnit(e: Emitter, dtype: DType, to: Address, packed: Vectors, count: number): void {
  const bytes = bytesOf(dtype);
  for (const [part, vector] of packed.entries()) {
    const total = Math.max(0, Math.min(16, count * bytes - part * 16));
    let done = 0;
    for (const size of [16, 8, 4, 2, 1]) {
      if (total - done < size || (size === 16 && bytes < 4)) continue;
      to.base();
      vector();
      const offset = to.offset + part * 16 + done;
      if (size === 16) e.code.memory("v128.store", offset);
      else e.code.memoryLane(laneStores[size]!, offset, done / size);
      done += size;
    }
  }
}
