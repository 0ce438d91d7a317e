/** Compares, blends, shuffles, and mask registers. */
import type { Rows } from "./rows.ts";

const compares = {
  vcmpps: ["V,H,W,Ib v.np.0F C2", "K,H,W,Ib e.np.0F.W0 C2 full4"],
  vcmppd: ["V,H,W,Ib v.66.0F C2", "K,H,W,Ib e.66.0F.W1 C2 full8"],
  vcmpss: "Vx,Hx,Wx,Ib v.F3.0F C2 L=x",
  vcmpsd: "Vx,Hx,Wx,Ib v.F2.0F C2 L=x",
} as const satisfies Rows;

const integerCompares = {
  vpcmpeqd: ["V,H,W v.66.0F 76", "K,H,W e.66.0F.W0 76 full4"],
  vpcmpgtd: ["V,H,W v.66.0F 66", "K,H,W e.66.0F.W0 66 full4"],
  vpcmpeqq: ["V,H,W v.66.0F38 29", "K,H,W e.66.0F38.W1 29 full8"],
  vpcmpgtq: ["V,H,W v.66.0F38 37", "K,H,W e.66.0F38.W1 37 full8"],
  vpcmpd: "K,H,W,Ib e.66.0F3A.W0 1F full4",
  vpcmpud: "K,H,W,Ib e.66.0F3A.W0 1E full4",
  vpcmpq: "K,H,W,Ib e.66.0F3A.W1 1F full8",
  vptestmd: "K,H,W e.66.0F38.W0 27 full4",
  vptestnmd: "K,H,W e.F3.0F38.W0 27 full4",
  vptest: "?V,W v.66.0F38 17",
} as const satisfies Rows;

const byteCompares = {
  vpcmpeqb: ["V,H,W v.66.0F 74", "K,H,W e.66.0F 74 mem"],
  vpcmpgtb: ["V,H,W v.66.0F 64", "K,H,W e.66.0F 64 mem"],
  vpcmpeqw: ["V,H,W v.66.0F 75", "K,H,W e.66.0F 75 mem"],
  vpcmpgtw: ["V,H,W v.66.0F 65", "K,H,W e.66.0F 65 mem"],
  vpcmpub: "K,H,W,Ib e.66.0F3A.W0 3E mem",
} as const satisfies Rows;

const masksAndVectors = {
  vpmovm2d: "V,KU e.F3.0F38.W0 38",
  vpmovd2m: "K,U e.F3.0F38.W0 39",
} as const satisfies Rows;

const blends = {
  vblendps: "V,H,W,Ib v.66.0F3A 0C",
  vblendpd: "V,H,W,Ib v.66.0F3A 0D",
  vpblendd: "V,H,W,Ib v.66.0F3A.W0 02",
  vblendvps: "V,H,W,L v.66.0F3A.W0 4A",
  vblendvpd: "V,H,W,L v.66.0F3A.W0 4B",
  vpblendvb: "V,H,W,L v.66.0F3A.W0 4C",
  vblendmps: "V,H,W e.66.0F38.W0 65 full4",
  vblendmpd: "V,H,W e.66.0F38.W1 65 full8",
  vpblendmd: "V,H,W e.66.0F38.W0 64 full4",
  vpblendmq: "V,H,W e.66.0F38.W1 64 full8",
} as const satisfies Rows;

const shuffles = {
  vshufps: "V,H,W,Ib ve.np.0F.W0 C6 full4",
  vshufpd: "V,H,W,Ib ve.66.0F.WIG1 C6 full8",
  vunpcklps: "V,H,W ve.np.0F.W0 14 full4",
  vunpckhps: "V,H,W ve.np.0F.W0 15 full4",
  vunpcklpd: "V,H,W ve.66.0F.WIG1 14 full8",
  vunpckhpd: "V,H,W ve.66.0F.WIG1 15 full8",
  vpermilps: ["V,H,W ve.66.0F38.W0 0C full4", "V,W,Ib ve.66.0F3A.W0 04 full4"],
  vpermilpd: ["V,H,W ve.66.0F38.WIG1 0D full8", "V,W,Ib ve.66.0F3A.WIG1 05 full8"],
} as const satisfies Rows;

const integerShuffles = {
  vpunpckldq: "V,H,W ve.66.0F.W0 62 full4",
  vpunpckhdq: "V,H,W ve.66.0F.W0 6A full4",
  vpunpcklqdq: "V,H,W ve.66.0F.WIG1 6C full8",
  vpunpckhqdq: "V,H,W ve.66.0F.WIG1 6D full8",
  vpshufd: "V,W,Ib ve.66.0F.W0 70 full4",
  vpermd: "V,H,W ve.66.0F38.W0 36 full4 L=yz",
  vpermps: "V,H,W ve.66.0F38.W0 16 full4 L=yz",
  vpermq: ["V,W,Ib ve.66.0F3A.W1 00 full8 L=yz", "V,H,W e.66.0F38.W1 36 full8 L=yz"],
  vpermpd: ["V,W,Ib ve.66.0F3A.W1 01 full8 L=yz", "V,H,W e.66.0F38.W1 16 full8 L=yz"],
} as const satisfies Rows;

const byteShuffles = {
  vpshufb: "V,H,W ve.66.0F38 00 mem",
  vpalignr: "V,H,W,Ib ve.66.0F3A 0F mem",
  vpunpcklbw: "V,H,W ve.66.0F 60 mem",
  vpunpcklwd: "V,H,W ve.66.0F 61 mem",
  vpunpckhbw: "V,H,W ve.66.0F 68 mem",
  vpunpckhwd: "V,H,W ve.66.0F 69 mem",
} as const satisfies Rows;

const halves = {
  vperm2f128: "V,H,W,Ib v.66.0F3A.W0 06 L=y",
  vinsertf128: "V,H,Wx,Ib v.66.0F3A.W0 18 L=y",
  vextractf128: "Wx,V,Ib v.66.0F3A.W0 19 L=y",
} as const satisfies Rows;
const integerHalves = {
  vperm2i128: "V,H,W,Ib v.66.0F3A.W0 46 L=y",
  vinserti128: "V,H,Wx,Ib v.66.0F3A.W0 38 L=y",
  vextracti128: "Wx,V,Ib v.66.0F3A.W0 39 L=y",
} as const satisfies Rows;

const wideShuffles = {
  vshuff32x4: "V,H,W,Ib e.66.0F3A.W0 23 full4 L=yz",
  vshuff64x2: "V,H,W,Ib e.66.0F3A.W1 23 full8 L=yz",
  vshufi32x4: "V,H,W,Ib e.66.0F3A.W0 43 full4 L=yz",
  vshufi64x2: "V,H,W,Ib e.66.0F3A.W1 43 full8 L=yz",
  vinsertf32x4: "V,H,Wx,Ib e.66.0F3A.W0 18 b16 L=yz",
  vinserti32x4: "V,H,Wx,Ib e.66.0F3A.W0 38 b16 L=yz",
  vinsertf64x4: "V,H,Wy,Ib e.66.0F3A.W1 1A b32 L=z",
  vinserti64x4: "V,H,Wy,Ib e.66.0F3A.W1 3A b32 L=z",
  vextractf32x4: "Wx,V,Ib e.66.0F3A.W0 19 b16 L=yz",
  vextracti32x4: "Wx,V,Ib e.66.0F3A.W0 39 b16 L=yz",
  vextractf64x4: "Wy,V,Ib e.66.0F3A.W1 1B b32 L=z",
  vextracti64x4: "Wy,V,Ib e.66.0F3A.W1 3B b32 L=z",
  valignd: "V,H,W,Ib e.66.0F3A.W0 03 full4",
  valignq: "V,H,W,Ib e.66.0F3A.W1 03 full8",
  vpermi2ps: "+V,H,W e.66.0F38.W0 77 full4",
  vpermi2pd: "+V,H,W e.66.0F38.W1 77 full8",
  vpermi2d: "+V,H,W e.66.0F38.W0 76 full4",
  vpermt2ps: "+V,H,W e.66.0F38.W0 7F full4",
  vpermt2pd: "+V,H,W e.66.0F38.W1 7F full8",
  vpermt2d: "+V,H,W e.66.0F38.W0 7E full4",
  vcompressps: "W,V e.66.0F38.W0 8A b4",
  vexpandps: "V,W e.66.0F38.W0 88 b4",
  vpcompressd: "W,V e.66.0F38.W0 8B b4",
  vpexpandd: "V,W e.66.0F38.W0 89 b4",
} as const satisfies Rows;

const maskWords = {
  kmovw: [
    "K,KW v.np.0F.W0 90 L=x",
    "M,K v.np.0F.W0 91 L=x",
    "K,Rd v.np.0F.W0 92 L=x",
    "Gd,KU v.np.0F.W0 93 L=x",
  ],
  kandw: "K,Q,KU v.np.0F.W0 41 L=y",
  kandnw: "K,Q,KU v.np.0F.W0 42 L=y",
  knotw: "K,KU v.np.0F.W0 44 L=x",
  korw: "K,Q,KU v.np.0F.W0 45 L=y",
  kxnorw: "K,Q,KU v.np.0F.W0 46 L=y",
  kxorw: "K,Q,KU v.np.0F.W0 47 L=y",
  kunpckbw: "K,Q,KU v.66.0F.W0 4B L=y",
  kortestw: "?K,KU v.np.0F.W0 98 L=x",
  kshiftrw: "K,KU,Ib v.66.0F3A.W1 30 L=x",
  kshiftlw: "K,KU,Ib v.66.0F3A.W1 32 L=x",
} as const satisfies Rows;

const maskBytes = {
  kmovb: [
    "K,KW v.66.0F.W0 90 L=x",
    "M,K v.66.0F.W0 91 L=x",
    "K,Rd v.66.0F.W0 92 L=x",
    "Gd,KU v.66.0F.W0 93 L=x",
  ],
  kandb: "K,Q,KU v.66.0F.W0 41 L=y",
  knotb: "K,KU v.66.0F.W0 44 L=x",
  korb: "K,Q,KU v.66.0F.W0 45 L=y",
  kxorb: "K,Q,KU v.66.0F.W0 47 L=y",
  kortestb: "?K,KU v.66.0F.W0 98 L=x",
  ktestw: "?K,KU v.np.0F.W0 99 L=x",
} as const satisfies Rows;

const maskLong = {
  kmovd: [
    "K,KW v.66.0F.W1 90 L=x",
    "M,K v.66.0F.W1 91 L=x",
    "K,Rd v.F2.0F.W0 92 L=x",
    "Gd,KU v.F2.0F.W0 93 L=x",
  ],
  kmovq: [
    "K,KW v.np.0F.W1 90 L=x",
    "M,K v.np.0F.W1 91 L=x",
    "K,Rq v.F2.0F.W1 92 L=x",
    "Gq,KU v.F2.0F.W1 93 L=x",
  ],
  kandd: "K,Q,KU v.66.0F.W1 41 L=y",
  kord: "K,Q,KU v.66.0F.W1 45 L=y",
} as const satisfies Rows;

export const shuffleForms = [
  [{ vex: "AVX", evex: "AVX512F" }, compares],
  [{ vex: "AVX2", evex: "AVX512F" }, integerCompares],
  [{ vex: "AVX2", evex: "AVX512BW" }, byteCompares],
  [{ evex: "AVX512DQ" }, masksAndVectors],
  [{ vex: "AVX2", evex: "AVX512F" }, blends],
  [{ vex: "AVX", evex: "AVX512F" }, shuffles],
  [{ vex: "AVX2", evex: "AVX512F" }, integerShuffles],
  [{ vex: "AVX2", evex: "AVX512BW" }, byteShuffles],
  [{ vex: "AVX" }, halves],
  [{ vex: "AVX2" }, integerHalves],
  [{ evex: "AVX512F" }, wideShuffles],
  [{ vex: "AVX512F" }, maskWords],
  [{ vex: "AVX512DQ" }, maskBytes],
  [{ vex: "AVX512BW" }, maskLong],
] as const;
