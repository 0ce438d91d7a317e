/** Loads and stores: elements as memory holds them, converted to and from the dtype that registers hold. */
import { bytesOf, type DType } from "../../base/dtype.ts";
import { InternalError } from "../../base/errors.ts";
import { type Memory, memory, type Register, type RegisterBits, withBits } from "./assembler/operands.ts";
import type { Mnemonic } from "./assembler/tables/index.ts";
import { type Emitter, placeAt } from "./emitter.ts";
import { scalarShape } from "./isa.ts";
import { Lanes, type Vectors } from "./lanes.ts";
import type { Address } from "./scopes.ts";

/** Which lanes take part: all, or those of `mask`; `count` of them from lane 0 on (a register when known late). */
export interface Active {
  readonly mask: Register | undefined;
  readonly count: number | Register;
}

/** Where lanes lie: side by side, all at one place, or base + `stride` × lane + `offsets` of each, in elements. */
export type LaneAddresses =
  | ({ readonly kind: "unit" | "uniform" } & Address)
  | ({ readonly kind: "sparse"; readonly indices: Register } & Address);

export class Storage {
  private readonly e: Emitter;
  private readonly lanes: Lanes;
  private readonly scalar: Lanes;

  constructor(e: Emitter, lanes: Lanes) {
    this.e = e;
    this.lanes = lanes;
    this.scalar = new Lanes(e, scalarShape);
  }

  // ---- one element --------------------------------------------------------------------------------------------

  /** Into the low lane of an xmm. */
  loadScalar(dtype: DType, { base, offset }: Address): Register {
    const { scalar } = this;
    if (dtype === "f64") return scalar.op("vmovsd", placeAt(base, offset));
    if (bytesOf(dtype) === 4) return scalar.op("vmovss", placeAt(base, offset));
    const bits: RegisterBits = bytesOf(dtype) === 2 ? 16 : 8;
    const word = withBits(this.e.code.general(), 32);
    this.e.code.emit(dtype === "i8" ? "movsx" : "movzx", word, placeAt(base, offset, bits));
    if (dtype === "bf16") this.e.code.emit("shl", word, 16);
    const x = scalar.op("vmovd", word);
    if (dtype === "f16") return scalar.op("vcvtph2ps", x);
    if (dtype === "bool") return scalar.compareInteger("notEqual", "i32", x, scalar.integer(0));
    return x;
  }

  storeScalar(dtype: DType, { base, offset }: Address, value: Register, flush: boolean): void {
    const { code } = this.e;
    const x = flush ? this.flushed(this.scalar, value) : value;
    if (dtype === "f64") return code.emit("vmovsd", placeAt(base, offset), x);
    if (bytesOf(dtype) === 4) return code.emit("vmovss", placeAt(base, offset), x);
    if (dtype === "f16") {
      const half = this.scalar.op("vcvtps2ph", x, 0);
      return code.emit("vpextrw", placeAt(base, offset, 16), half, 0);
    }
    if (dtype === "bf16")
      return code.emit("vpextrw", placeAt(base, offset, 16), this.bfloatBits(this.scalar, x), 0);
    const whole = dtype === "bool" ? this.scalar.op("vandps", x, this.scalar.integer(1)) : x;
    code.emit("vpextrb", placeAt(base, offset, 8), whole, 0);
  }

  /** A subnormal as the zero of its sign. */
  private flushed(lanes: Lanes, x: Register): Register {
    const exponent = lanes.op("vandps", x, lanes.integer(0x7f800000));
    const isSmall = lanes.compareInteger("equal", "i32", exponent, lanes.integer(0));
    return lanes.select("f32", isSmall, [lanes.op("vandps", x, lanes.integer(-(2 ** 31)))], [x])[0]!;
  }

  /** The nearest bf16 in the low halves of the lanes; NaN stays NaN. */
  private bfloatBits(lanes: Lanes, x: Register): Register {
    const odd = lanes.op("vandps", lanes.op("vpsrld", x, 16), lanes.integer(1));
    const rounded = lanes.op("vpaddd", lanes.op("vpaddd", x, lanes.integer(0x7fff)), odd);
    const quiet = lanes.op("vorps", x, lanes.integer(0x400000));
    const magnitude = lanes.op("vandps", x, lanes.integer(0x7fffffff));
    const isNotNumber = lanes.compareInteger("greater", "i32", magnitude, lanes.integer(0x7f800000));
    const [bits] = lanes.select("i32", isNotNumber, [quiet], [rounded]);
    return lanes.op("vpsrld", bits!, 16);
  }

  // ---- loads of all lanes -------------------------------------------------------------------------------------

  load(dtype: DType, from: LaneAddresses, active: Active): Vectors {
    if (this.lanes.shape.lanes === 1) return [this.loadScalar(dtype, from)];
    if (from.kind === "uniform") return this.loadUniform(dtype, from);
    if (from.kind === "sparse") return this.gather(dtype, from, active);
    return this.lanes.shape.hasMaskRegisters
      ? this.loadUnitMasked(dtype, from, active.mask)
      : this.loadUnit(dtype, from, active);
  }

  loadUniform(dtype: DType, { base, offset }: Address): Vectors {
    const { lanes } = this;
    if (lanes.shape.lanes === 1) return [this.loadScalar(dtype, { base, offset })];
    if (dtype === "f64") {
      const both = lanes.op("vbroadcastsd", placeAt(base, offset));
      return Array<Register>(lanes.shape.wideParts).fill(both);
    }
    if (bytesOf(dtype) === 4) return [lanes.op("vbroadcastss", placeAt(base, offset))];
    const compute = dtype === "bool" ? "bool" : dtype === "f16" || dtype === "bf16" ? "f32" : "i32";
    return lanes.splat(compute, this.loadScalar(dtype, { base, offset }));
  }

  /** AVX-512: what the mask leaves out reads as 0 and is not touched. */
  private loadUnitMasked(dtype: DType, { base, offset }: Address, mask: Register | undefined): Vectors {
    const { lanes } = this;
    const { code } = this.e;
    const read = (mnemonic: Mnemonic, displacement = 0, part = mask): Register => {
      const target = code.vector(lanes.shape.bits);
      const place = placeAt(base, offset + displacement);
      if (part === undefined) code.emit(mnemonic, target, place);
      else code.emitMasked(mnemonic, part, true, target, place);
      return target;
    };
    switch (dtype) {
      case "f64": {
        const masks = mask === undefined ? [] : lanes.masks(mask, "f64");
        return [read("vmovupd", 0, masks[0]), read("vmovupd", 64, masks[1])];
      }
      case "f16":
        return [read("vcvtph2ps")];
      case "bf16":
        return [lanes.op("vpslld", read("vpmovzxwd"), 16)];
      case "i8":
        return [read("vpmovsxbd")];
      case "u8":
        return [read("vpmovzxbd")];
      case "bool":
        return [lanes.compareInteger("notEqual", "i32", read("vpmovzxbd"), lanes.integer(0))];
      default:
        return [read("vmovups")];
    }
  }

  /** AVX2: narrow elements of inactive lanes are read too; memory ends with room for it. */
  private loadUnit(dtype: DType, { base, offset }: Address, { mask, count }: Active): Vectors {
    const { lanes } = this;
    const place = (displacement = 0): Memory => placeAt(base, offset + displacement);
    switch (dtype) {
      case "f64": {
        if (mask === undefined) return [lanes.op("vmovupd", place()), lanes.op("vmovupd", place(32))];
        return lanes.masks(mask, "f64").map((part, i) => lanes.op("vmaskmovpd", part, place(32 * i)));
      }
      case "f16":
        return [lanes.op("vcvtph2ps", place())];
      case "bf16":
        return [lanes.op("vpslld", lanes.op("vpmovzxwd", place()), 16)];
      case "i8":
        return [lanes.op("vpmovsxbd", place())];
      case "u8":
        return [lanes.op("vpmovzxbd", place())];
      case "bool":
        return [lanes.compareInteger("notEqual", "i32", lanes.op("vpmovzxbd", place()), lanes.integer(0))];
      default: {
        if (mask === undefined) return [lanes.op("vmovups", place())];
        const mnemonic =
          count === 1 ? "vmovss" : count === 2 ? "vmovsd" : count === 4 ? "vmovups" : undefined;
        if (mnemonic === undefined) return [lanes.op("vmaskmovps", mask, place())];
        // The lanes above become zero.
        const target = this.e.code.vector(lanes.shape.bits);
        this.e.code.emit(mnemonic, withBits(target, 128), place());
        return [target];
      }
    }
  }

  /** Narrow elements come as 32-bit words that begin with them: up to three bytes past the last are read. */
  private gather(dtype: DType, from: Extract<LaneAddresses, { kind: "sparse" }>, active: Active): Vectors {
    const { lanes } = this;
    const bytes = bytesOf(dtype);
    if (dtype === "f64") {
      const masks = active.mask === undefined ? [] : lanes.masks(active.mask, "f64");
      const halves = [this.halfIndices(from.indices, 0), this.halfIndices(from.indices, 1)];
      return halves.map((indices, i) => this.gatherWords("vgatherdpd", 8, { ...from, indices }, masks[i]));
    }
    const words = this.gatherWords("vgatherdps", bytes as 1 | 2 | 4, from, active.mask);
    switch (dtype) {
      case "u8":
        return [lanes.op("vandps", words, lanes.integer(255))];
      case "i8":
        return [lanes.op("vpsrad", lanes.op("vpslld", words, 24), 24)];
      case "bf16":
        return [lanes.op("vpslld", words, 16)];
      case "f16":
        return [this.halfFloats(lanes.op("vandps", words, lanes.integer(65535)))];
      case "bool": {
        const byte = lanes.op("vandps", words, lanes.integer(255));
        return [lanes.compareInteger("notEqual", "i32", byte, lanes.integer(0))];
      }
      default:
        return [words];
    }
  }
  /** Whether lanes so far apart are put together one by one: a gather takes longer, on some processors several times as long. */
  loadsApart(dtype: DType, stride: number): boolean {
    return dtype === "f16" && this.lanes.shape.lanes >= 8 && Math.abs(stride) > 1;
  }
  loadApart(dtype: DType, { base, offset }: Address, stride: number): Vectors {
    if (dtype !== "f16") throw new InternalError(`${dtype} is not loaded lane by lane`);
    const { lanes } = this;
    const { code } = this.e;
    // No more than the halves themselves is read: the last one may be where readable memory ends.
    const eights = Array.from({ length: lanes.shape.lanes / 8 }, (_, i) => {
      const eight = code.vector(128);
      code.emit("vpxor", eight, eight, eight);
      for (let lane = 0; lane < 8; lane++)
        code.emit("vpinsrw", eight, eight, placeAt(base, offset + 2 * (8 * i + lane) * stride, 16), lane);
      return eight;
    });
    if (eights.length === 1) return [lanes.op("vcvtph2ps", eights[0]!)];
    const halves = code.vector(256);
    code.emit("vinserti128", halves, withBits(eights[0]!, 256), eights[1]!, 1);
    return [lanes.op("vcvtph2ps", halves)];
  }

  /** Two halves of each lane, side by side there. */
  loadPairsApart({ base, offset }: Address, stride: number): Vectors {
    const { lanes } = this;
    const { code } = this.e;
    const place = (lane: number): Memory => placeAt(base, offset + 2 * lane * stride, 32);
    const fours = Array.from({ length: lanes.shape.lanes / 4 }, (_, i) => {
      const four = code.vector(128);
      code.emit("vmovd", four, place(4 * i));
      for (const lane of [1, 2, 3]) code.emit("vpinsrd", four, four, place(4 * i + lane), lane);
      return four;
    });
    const insert = lanes.shape.bits === 512 ? "vinserti32x4" : "vinserti128";
    const words = fours
      .slice(1)
      .reduce(
        (whole, four, i) => lanes.op(insert, whole, four, i + 1),
        withBits(fours[0]!, lanes.shape.bits),
      );
    return [words, lanes.op("vpsrld", words, 16)].map((x) => this.halfFloats(x));
  }
  private halfIndices(indices: Register, half: 0 | 1): Register {
    const { bits } = this.lanes.shape;
    if (half === 0) return withBits(indices, bits === 512 ? 256 : 128);
    const target = this.e.code.vector(bits === 512 ? 256 : 128);
    this.e.code.emit(bits === 512 ? "vextractf64x4" : "vextractf128", target, indices, 1);
    return target;
  }
  private gatherWords(
    mnemonic: "vgatherdps" | "vgatherdpd",
    scale: 1 | 2 | 4 | 8,
    { base, offset, indices }: Extract<LaneAddresses, { kind: "sparse" }>,
    mask: Register | undefined,
  ): Register {
    const { lanes } = this;
    const { code } = this.e;
    const target = code.vector(lanes.shape.bits);
    code.emit("vxorps", target, target, target);
    const place = memory({ base, index: indices, scale, displacement: offset });
    // The instruction clears its mask.
    if (lanes.shape.hasMaskRegisters) {
      const used = code.maskValue();
      if (mask === undefined) code.emit("kxnorw", used, used, used);
      else code.emit("kmovw", used, mask);
      code.emitMasked(mnemonic, used, false, target, place);
    } else {
      const used = code.vector(lanes.shape.bits);
      if (mask === undefined) code.emit("vpcmpeqd", used, used, used);
      else code.emit("vmovaps", used, mask);
      code.emit(mnemonic, target, place, used);
    }
    return target;
  }
  /** f16 bits in 32-bit lanes as f32. */
  private halfFloats(words: Register): Register {
    return this.lanes.op("vcvtph2ps", this.packedWords(words));
  }

  // ---- stores of all lanes ------------------------------------------------------------------------------------

  storeUnit(dtype: DType, { base, offset }: Address, value: Vectors, active: Active, flush: boolean): void {
    const { lanes } = this;
    if (lanes.shape.lanes === 1) return this.storeScalar(dtype, { base, offset }, value[0]!, flush);
    const x = flush ? [this.flushed(lanes, value[0]!)] : value;
    if (lanes.shape.hasMaskRegisters) return this.storeMasked(dtype, { base, offset }, x, active.mask);
    if (bytesOf(dtype) === 4 && active.mask !== undefined && typeof active.count === "number")
      return this.storeFirstWords({ base, offset }, x[0]!, active.count);
    if (bytesOf(dtype) >= 4) return this.storeWords(dtype, { base, offset }, x, active.mask);
    const packed = this.packed(dtype, x[0]!);
    const bytes = bytesOf(dtype) * lanes.shape.lanes;
    if (active.mask === undefined)
      return this.e.code.emit(bytes === 16 ? "vmovdqu" : "vmovq", placeAt(base, offset), packed);
    this.storePieces(dtype, { base, offset }, packed, active.count);
  }

  /** Past the caches, which would first read each line: for addresses that are multiples of the register's size. */
  storeStreamed(dtype: DType, { base, offset }: Address, value: Vectors): void {
    this.e.streams = true;
    const bytes = this.lanes.shape.bits / 8;
    value.forEach((part, i) => {
      this.e.code.emit(dtype === "f64" ? "vmovntpd" : "vmovntps", placeAt(base, offset + bytes * i), part);
    });
  }

  private storeMasked(
    dtype: DType,
    { base, offset }: Address,
    [x, high]: Vectors,
    mask: Register | undefined,
  ): void {
    const { lanes } = this;
    const write = (
      mnemonic: Mnemonic,
      displacement: number,
      part: Register | undefined,
      ...rest: [Register, number?]
    ): void => {
      const operands = [placeAt(base, offset + displacement), ...(rest as Register[])];
      if (part === undefined) this.e.code.emit(mnemonic, ...operands);
      else this.e.code.emitMasked(mnemonic, part, false, ...operands);
    };
    switch (dtype) {
      case "f64": {
        const masks = mask === undefined ? [] : lanes.masks(mask, "f64");
        write("vmovupd", 0, masks[0], x!);
        return write("vmovupd", 64, masks[1], high!);
      }
      case "f16":
        return write("vcvtps2ph", 0, mask, x!, 0);
      case "bf16":
        return write("vpmovdw", 0, mask, this.bfloatBits(lanes, x!));
      case "bool":
        return write("vpmovdb", 0, mask, lanes.convert("bool", "i32", [x!])[0]!);
      case "i8":
      case "u8":
        return write("vpmovdb", 0, mask, x!);
      default:
        return write("vmovups", 0, mask, x!);
    }
  }

  private storeWords(
    dtype: DType,
    { base, offset }: Address,
    value: Vectors,
    mask: Register | undefined,
  ): void {
    const { lanes } = this;
    const isWide = dtype === "f64";
    const masks = mask === undefined ? [] : lanes.masks(mask, isWide ? "f64" : "f32");
    value.forEach((part, i) => {
      const place = placeAt(base, offset + 32 * i);
      if (mask === undefined) this.e.code.emit("vmovups", place, part);
      else this.e.code.emit(isWide ? "vmaskmovpd" : "vmaskmovps", place, masks[i]!, part);
    });
  }

  /** AVX2: the first `count` words by two to four plain stores; one behind a mask takes some processors forty of their steps. */
  private storeFirstWords({ base, offset }: Address, x: Register, count: number): void {
    const { code } = this.e;
    const [low, half] = [withBits(x, 128), this.lanes.shape.lanes / 2];
    if (count < half) return this.storeFewWords({ base, offset }, low, count);
    code.emit("vmovups", placeAt(base, offset), low);
    if (count === half) return;
    const high = code.vector(128);
    code.emit("vextractf128", high, x, 1);
    this.storeFewWords({ base, offset: offset + 4 * half }, high, count - half);
  }
  /** One to three. */
  private storeFewWords({ base, offset }: Address, x: Register, count: number): void {
    const { code } = this.e;
    if (count === 1) return code.emit("vmovss", placeAt(base, offset, 32), x);
    code.emit("vmovsd", placeAt(base, offset), x);
    if (count === 2) return;
    const third = code.vector(128);
    code.emit("vpshufd", third, x, 2);
    code.emit("vmovss", placeAt(base, offset + 8, 32), third);
  }

  /** Narrow storage elements side by side in an xmm (AVX2), or in the low part of a register. */
  private packed(dtype: DType, x: Register): Register {
    const { lanes } = this;
    if (dtype === "f16") {
      const target = this.e.code.vector(lanes.shape.bits === 512 ? 256 : 128);
      this.e.code.emit("vcvtps2ph", target, x, 0);
      return target;
    }
    if (dtype === "bf16") return this.packedWords(this.bfloatBits(lanes, x));
    return this.packedBytes(dtype === "bool" ? lanes.convert("bool", "i32", [x])[0]! : x);
  }
  private packedWords(x: Register): Register {
    const { lanes } = this;
    if (lanes.shape.bits === 512) {
      const target = this.e.code.vector(256);
      this.e.code.emit("vpmovdw", target, x);
      return target;
    }
    const order = this.e.wordsVector([0x05040100, 0x0d0c0908, -1, -1], 256);
    return withBits(lanes.op("vpermq", lanes.op("vpshufb", x, order), 0x08), 128);
  }
  private packedBytes(x: Register): Register {
    const { lanes } = this;
    if (lanes.shape.bits === 512) {
      const target = this.e.code.vector(128);
      this.e.code.emit("vpmovdb", target, x);
      return target;
    }
    const order = this.e.wordsVector([0x0c080400, -1, -1, -1], 256);
    const pairs = lanes.op("vpshufb", x, order);
    const target = this.e.code.vector(128);
    this.e.code.emit("vpunpckldq", target, withBits(pairs, 128), lanes.chunk(pairs, 1));
    return target;
  }

  /** The first `count` elements: by falling powers of two, or one by one where the count is known late. */
  private storePieces(
    dtype: DType,
    { base, offset }: Address,
    packed: Register,
    count: number | Register,
  ): void {
    const { code } = this.e;
    const bytes = bytesOf(dtype);
    if (typeof count !== "number") {
      const store = this.elementStore(dtype, [packed]);
      this.eachLane(count, (lane) => store({ base, offset: offset + lane * bytes }, lane));
      return;
    }
    let done = 0;
    for (const size of [8, 4, 2, 1] as const) {
      if (count * bytes - done < size) continue;
      const place = placeAt(base, offset + done, (8 * size) as RegisterBits);
      const name = { 8: "vpextrq", 4: "vpextrd", 2: "vpextrw", 1: "vpextrb" }[size] as Mnemonic;
      code.emit(name, place, packed, done / size);
      done += size;
    }
  }

  /** Each active lane at its own address, in rising order. */
  storeLanes(
    dtype: DType,
    value: Vectors,
    { active, flush, addressOf }: { active: Active; flush: boolean; addressOf(lane: number): Address },
  ): void {
    const { lanes } = this;
    const x = flush ? [this.flushed(lanes, value[0]!)] : value;
    const parts = bytesOf(dtype) >= 4 ? x : [this.packed(dtype, x[0]!)];
    const store = this.elementStore(dtype, parts);
    this.eachLane(active.count, (lane) => store(addressOf(lane), lane));
  }

  /** Stores single lanes, which must come in rising order: each 16 bytes of a register are moved down once. */
  private elementStore(dtype: DType, parts: Vectors): (at: Address, lane: number) => void {
    const bytes = bytesOf(dtype);
    const [perPart, perChunk] = [parts[0]!.bits / 8 / bytes, 16 / bytes];
    const name = { 8: "vpextrq", 4: "vpextrd", 2: "vpextrw", 1: "vpextrb" }[bytes] as Mnemonic;
    let chunk: Register | undefined;
    return ({ base, offset }, lane) => {
      const inPart = lane % perPart;
      if (lane % perChunk === 0)
        chunk = this.lanes.chunk(parts[Math.floor(lane / perPart)]!, Math.floor(inPart / perChunk));
      const place = placeAt(base, offset, (8 * bytes) as RegisterBits);
      this.e.code.emit(name, place, chunk!, inPart % perChunk);
    };
  }

  /** Runs `body` for lanes 0 … count − 1. */
  eachLane(count: number | Register, body: (lane: number) => void): void {
    const { code } = this.e;
    const all = this.lanes.shape.lanes;
    if (typeof count === "number") {
      for (let lane = 0; lane < Math.min(count, all); lane++) body(lane);
      return;
    }
    const end = code.label();
    for (let lane = 0; lane < all; lane++) {
      code.emit("cmp", count, lane);
      code.emit("jle", end);
      body(lane);
    }
    code.bind(end);
  }
}
