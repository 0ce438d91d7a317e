/** Vector arithmetic: floats, fused multiply-add, integers, shifts, logic, dot products. */
import type { Rows } from "./rows.ts";

type Float = "ps" | "pd" | "ss" | "sd";
type FloatName = "vadd" | "vmul" | "vsub" | "vmin" | "vdiv" | "vmax";
type FusedName = `vf${"madd" | "msub" | "nmadd" | "nmsub"}${"132" | "213" | "231"}`;

const hex = (opcode: number): string => opcode.toString(16).toUpperCase().padStart(2, "0");

/** `x = y ∘ z` for both widths, packed and of one element. */
function floatRows(): Record<`${FloatName}${Float}`, string> {
  const rows: Record<string, string> = {};
  const opcodes = { vadd: 0x58, vmul: 0x59, vsub: 0x5c, vmin: 0x5d, vdiv: 0x5e, vmax: 0x5f };
  for (const [name, opcode] of Object.entries(opcodes)) {
    rows[`${name}ps`] = `V,H,W ve.np.0F.W0 ${hex(opcode)} full4`;
    rows[`${name}pd`] = `V,H,W ve.66.0F.WIG1 ${hex(opcode)} full8`;
    rows[`${name}ss`] = `Vx,Hx,Wx ve.F3.0F.W0 ${hex(opcode)} b4 L=x`;
    rows[`${name}sd`] = `Vx,Hx,Wx ve.F2.0F.WIG1 ${hex(opcode)} b8 L=x`;
  }
  return rows;
}

/** 132: a = a × c + b; 213: a = b × a + c; 231: a = b × c + a. */
function fusedRows(): Record<`${FusedName}${Float}`, string> {
  const rows: Record<string, string> = {};
  const kinds = { madd: 0x08, msub: 0x0a, nmadd: 0x0c, nmsub: 0x0e };
  const orders = { 132: 0x90, 213: 0xa0, 231: 0xb0 };
  for (const [kind, low] of Object.entries(kinds))
    for (const [order, high] of Object.entries(orders)) {
      const name = `vf${kind}${order}`;
      rows[`${name}ps`] = `+V,H,W ve.66.0F38.W0 ${hex(high + low)} full4`;
      rows[`${name}pd`] = `+V,H,W ve.66.0F38.W1 ${hex(high + low)} full8`;
      rows[`${name}ss`] = `+Vx,Hx,Wx ve.66.0F38.W0 ${hex(high + low + 1)} b4 L=x`;
      rows[`${name}sd`] = `+Vx,Hx,Wx ve.66.0F38.W1 ${hex(high + low + 1)} b8 L=x`;
    }
  return rows;
}

const roots = {
  vsqrtps: "V,W ve.np.0F.W0 51 full4",
  vsqrtpd: "V,W ve.66.0F.WIG1 51 full8",
  vsqrtss: "Vx,Hx,Wx ve.F3.0F.W0 51 b4 L=x",
  vsqrtsd: "Vx,Hx,Wx ve.F2.0F.WIG1 51 b8 L=x",
  vroundps: "V,W,Ib v.66.0F3A 08",
  vroundpd: "V,W,Ib v.66.0F3A 09",
  vroundss: "Vx,Hx,Wx,Ib v.66.0F3A 0A L=x",
  vroundsd: "Vx,Hx,Wx,Ib v.66.0F3A 0B L=x",
  vrndscaleps: "V,W,Ib e.66.0F3A.W0 08 full4",
  vrndscalepd: "V,W,Ib e.66.0F3A.W1 09 full8",
  vscalefps: "V,H,W e.66.0F38.W0 2C full4",
  vscalefpd: "V,H,W e.66.0F38.W1 2C full8",
  vgetexpps: "V,W e.66.0F38.W0 42 full4",
  vgetmantps: "V,W,Ib e.66.0F3A.W0 26 full4",
} as const satisfies Rows;

const doubleQuad = {
  vrangeps: "V,H,W,Ib e.66.0F3A.W0 50 full4",
  vrangepd: "V,H,W,Ib e.66.0F3A.W1 50 full8",
  vreduceps: "V,W,Ib e.66.0F3A.W0 56 full4",
  vpmullq: "V,H,W e.66.0F38.W1 40 full8",
  vandps: "V,H,W ve.np.0F.W0 54 full4",
  vandnps: "V,H,W ve.np.0F.W0 55 full4",
  vorps: "V,H,W ve.np.0F.W0 56 full4",
  vxorps: "V,H,W ve.np.0F.W0 57 full4",
  vandpd: "V,H,W ve.66.0F.WIG1 54 full8",
  vandnpd: "V,H,W ve.66.0F.WIG1 55 full8",
  vorpd: "V,H,W ve.66.0F.WIG1 56 full8",
  vxorpd: "V,H,W ve.66.0F.WIG1 57 full8",
} as const satisfies Rows;

const logic = {
  vpand: "V,H,W v.66.0F DB",
  vpandn: "V,H,W v.66.0F DF",
  vpor: "V,H,W v.66.0F EB",
  vpxor: "V,H,W v.66.0F EF",
  vpandd: "V,H,W e.66.0F.W0 DB full4",
  vpandnd: "V,H,W e.66.0F.W0 DF full4",
  vpord: "V,H,W e.66.0F.W0 EB full4",
  vpxord: "V,H,W e.66.0F.W0 EF full4",
  vpandq: "V,H,W e.66.0F.W1 DB full8",
  vpandnq: "V,H,W e.66.0F.W1 DF full8",
  vporq: "V,H,W e.66.0F.W1 EB full8",
  vpxorq: "V,H,W e.66.0F.W1 EF full8",
  vpternlogd: "+V,H,W,Ib e.66.0F3A.W0 25 full4",
  vpternlogq: "+V,H,W,Ib e.66.0F3A.W1 25 full8",
} as const satisfies Rows;

const integers = {
  vpaddd: "V,H,W ve.66.0F.W0 FE full4",
  vpaddq: "V,H,W ve.66.0F.WIG1 D4 full8",
  vpsubd: "V,H,W ve.66.0F.W0 FA full4",
  vpsubq: "V,H,W ve.66.0F.WIG1 FB full8",
  vpmulld: "V,H,W ve.66.0F38.W0 40 full4",
  vpmuludq: "V,H,W ve.66.0F.WIG1 F4 full8",
  vpmuldq: "V,H,W ve.66.0F38.WIG1 28 full8",
  vpminsd: "V,H,W ve.66.0F38.W0 39 full4",
  vpminud: "V,H,W ve.66.0F38.W0 3B full4",
  vpmaxsd: "V,H,W ve.66.0F38.W0 3D full4",
  vpmaxud: "V,H,W ve.66.0F38.W0 3F full4",
  vpabsd: "V,W ve.66.0F38.W0 1E full4",
  vpsllvd: "V,H,W ve.66.0F38.W0 47 full4",
  vpsllvq: "V,H,W ve.66.0F38.W1 47 full8",
  vpsrlvd: "V,H,W ve.66.0F38.W0 45 full4",
  vpsrlvq: "V,H,W ve.66.0F38.W1 45 full8",
  vpsravd: "V,H,W ve.66.0F38.W0 46 full4",
  vpslld: ["V,H,Wx ve.66.0F.W0 F2 b16", "H,U,Ib v.66.0F 72 /6", "H,W,Ib e.66.0F.W0 72 /6 full4"],
  vpsrld: ["V,H,Wx ve.66.0F.W0 D2 b16", "H,U,Ib v.66.0F 72 /2", "H,W,Ib e.66.0F.W0 72 /2 full4"],
  vpsrad: ["V,H,Wx ve.66.0F.W0 E2 b16", "H,U,Ib v.66.0F 72 /4", "H,W,Ib e.66.0F.W0 72 /4 full4"],
  vpsllq: ["V,H,Wx ve.66.0F.WIG1 F3 b16", "H,U,Ib v.66.0F 73 /6", "H,W,Ib e.66.0F.W1 73 /6 full8"],
  vpsrlq: ["V,H,Wx ve.66.0F.WIG1 D3 b16", "H,U,Ib v.66.0F 73 /2", "H,W,Ib e.66.0F.W1 73 /2 full8"],
  vpsraq: ["V,H,Wx e.66.0F.W1 E2 b16", "H,W,Ib e.66.0F.W1 72 /4 full8"],
  vprold: "H,W,Ib e.66.0F.W0 72 /1 full4",
  vprord: "H,W,Ib e.66.0F.W0 72 /0 full4",
  vpmaxsq: "V,H,W e.66.0F38.W1 3D full8",
  vpminsq: "V,H,W e.66.0F38.W1 39 full8",
} as const satisfies Rows;

const bytesAndWords = {
  vpaddb: "V,H,W ve.66.0F FC mem",
  vpaddw: "V,H,W ve.66.0F FD mem",
  vpsubb: "V,H,W ve.66.0F F8 mem",
  vpsubw: "V,H,W ve.66.0F F9 mem",
  vpmullw: "V,H,W ve.66.0F D5 mem",
  vpmaddwd: "V,H,W ve.66.0F F5 mem",
  vpmaddubsw: "V,H,W ve.66.0F38 04 mem",
  vpminub: "V,H,W ve.66.0F DA mem",
  vpmaxub: "V,H,W ve.66.0F DE mem",
  vpminsb: "V,H,W ve.66.0F38 38 mem",
  vpmaxsb: "V,H,W ve.66.0F38 3C mem",
  vpminsw: "V,H,W ve.66.0F EA mem",
  vpmaxsw: "V,H,W ve.66.0F EE mem",
  vpminuw: "V,H,W ve.66.0F38 3A mem",
  vpmaxuw: "V,H,W ve.66.0F38 3E mem",
  vpabsb: "V,W ve.66.0F38 1C mem",
  vpabsw: "V,W ve.66.0F38 1D mem",
  vpsllw: ["V,H,Wx ve.66.0F F1 b16", "H,U,Ib v.66.0F 71 /6", "H,W,Ib e.66.0F 71 /6 mem"],
  vpsrlw: ["V,H,Wx ve.66.0F D1 b16", "H,U,Ib v.66.0F 71 /2", "H,W,Ib e.66.0F 71 /2 mem"],
  vpsraw: ["V,H,Wx ve.66.0F E1 b16", "H,U,Ib v.66.0F 71 /4", "H,W,Ib e.66.0F 71 /4 mem"],
  vpackssdw: "V,H,W ve.66.0F.W0 6B full4",
  vpackusdw: "V,H,W ve.66.0F38.W0 2B full4",
  vpacksswb: "V,H,W ve.66.0F 63 mem",
  vpackuswb: "V,H,W ve.66.0F 67 mem",
} as const satisfies Rows;

const bits = { vplzcntd: "V,W e.66.0F38.W0 44 full4", vpconflictd: "V,W e.66.0F38.W0 C4 full4" } as const;
const counts = { vpopcntd: "V,W e.66.0F38.W0 55 full4" } as const;

/** EVEX only: the VEX forms belong to another feature (AVX-VNNI). */
const dotProducts = {
  vpdpbusd: "+V,H,W e.66.0F38.W0 50 full4",
  vpdpbusds: "+V,H,W e.66.0F38.W0 51 full4",
  vpdpwssd: "+V,H,W e.66.0F38.W0 52 full4",
  vpdpwssds: "+V,H,W e.66.0F38.W0 53 full4",
} as const satisfies Rows;

const bfloat = {
  vdpbf16ps: "+V,H,W e.F3.0F38.W0 52 full4",
  vcvtne2ps2bf16: "V,H,W e.F2.0F38.W0 72 full4",
  vcvtneps2bf16: "Vh,U e.F3.0F38.W0 72 full4",
} as const satisfies Rows;

export const arithmeticForms = [
  [{ vex: "AVX", evex: "AVX512F" }, floatRows()],
  [{ vex: "FMA", evex: "AVX512F" }, fusedRows()],
  [{ vex: "AVX", evex: "AVX512F" }, roots],
  [{ vex: "AVX", evex: "AVX512DQ" }, doubleQuad],
  [{ vex: "AVX2", evex: "AVX512F" }, logic],
  [{ vex: "AVX2", evex: "AVX512F" }, integers],
  [{ vex: "AVX2", evex: "AVX512BW" }, bytesAndWords],
  [{ evex: "AVX512CD" }, bits],
  [{ evex: "AVX512_VPOPCNTDQ" }, counts],
  [{ evex: "AVX512_VNNI" }, dotProducts],
  [{ evex: "AVX512_BF16" }, bfloat],
] as const;
