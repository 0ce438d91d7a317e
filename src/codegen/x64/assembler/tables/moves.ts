/** Moves: whole vectors, one element, masked, broadcast, gathered and scattered; conversions. */
import type { Rows } from "./rows.ts";

const whole = {
  vmovups: ["V,W ve.np.0F.W0 10 mem", "M,V ve.np.0F.W0 11 mem"],
  vmovupd: ["V,W ve.66.0F.WIG1 10 mem", "M,V ve.66.0F.WIG1 11 mem"],
  vmovaps: ["V,W ve.np.0F.W0 28 mem", "M,V ve.np.0F.W0 29 mem"],
  vmovapd: ["V,W ve.66.0F.WIG1 28 mem", "M,V ve.66.0F.WIG1 29 mem"],
  vmovdqu: ["V,W v.F3.0F 6F", "M,V v.F3.0F 7F"],
  vmovdqa: ["V,W v.66.0F 6F", "M,V v.66.0F 7F"],
  vmovdqu32: ["V,W e.F3.0F.W0 6F mem", "M,V e.F3.0F.W0 7F mem"],
  vmovdqu64: ["V,W e.F3.0F.W1 6F mem", "M,V e.F3.0F.W1 7F mem"],
  vmovdqa32: ["V,W e.66.0F.W0 6F mem", "M,V e.66.0F.W0 7F mem"],
  vmovdqa64: ["V,W e.66.0F.W1 6F mem", "M,V e.66.0F.W1 7F mem"],
  vmovntps: "M,V ve.np.0F.W0 2B mem",
  vmovntpd: "M,V ve.66.0F.WIG1 2B mem",
  vmovntdq: "M,V ve.66.0F.W0 E7 mem",
  vmovntdqa: "V,M ve.66.0F38.W0 2A mem",
  vmovshdup: "V,W ve.F3.0F.W0 16 mem",
  vmovsldup: "V,W ve.F3.0F.W0 12 mem",
  vmovddup: "V,W ve.F2.0F.WIG1 12 double",
  vmaskmovps: ["V,H,M v.66.0F38.W0 2C", "M,H,V v.66.0F38.W0 2E"],
  vmaskmovpd: ["V,H,M v.66.0F38.W0 2D", "M,H,V v.66.0F38.W0 2F"],
  vmovmskps: "Gd,U v.np.0F 50",
  vmovmskpd: "Gd,U v.66.0F 50",
  vzeroupper: "- v.np.0F 77 L=x",
  vzeroall: "- v.np.0F 77 L=y",
} as const satisfies Rows;

const wholeBytes = {
  vmovdqu8: ["V,W e.F2.0F.W0 6F mem", "M,V e.F2.0F.W0 7F mem"],
  vmovdqu16: ["V,W e.F2.0F.W1 6F mem", "M,V e.F2.0F.W1 7F mem"],
} as const satisfies Rows;

const wholeIntegers = {
  vpmaskmovd: ["V,H,M v.66.0F38.W0 8C", "M,H,V v.66.0F38.W0 8E"],
  vpmaskmovq: ["V,H,M v.66.0F38.W1 8C", "M,H,V v.66.0F38.W1 8E"],
  vpmovmskb: "Gd,U v.66.0F D7",
} as const satisfies Rows;

const single = {
  vmovss: ["Vx,M ve.F3.0F.W0 10 b4 L=x", "M,Vx ve.F3.0F.W0 11 b4 L=x", "Vx,Hx,Ux ve.F3.0F.W0 10 b4 L=x"],
  vmovsd: [
    "Vx,M ve.F2.0F.WIG1 10 b8 L=x",
    "M,Vx ve.F2.0F.WIG1 11 b8 L=x",
    "Vx,Hx,Ux ve.F2.0F.WIG1 10 b8 L=x",
  ],
  vmovd: ["Vx,Ed ve.66.0F.W0 6E b4 L=x", "Ed,Vx ve.66.0F.W0 7E b4 L=x"],
  vmovq: [
    "Vx,Rq ve.66.0F.W1 6E b8 L=x",
    "Vx,Wx ve.F3.0F.WIG1 7E b8 L=x",
    "Rq,Vx ve.66.0F.W1 7E b8 L=x",
    "M,Vx ve.66.0F.WIG1 D6 b8 L=x",
  ],
  vmovhlps: "Vx,Hx,Ux ve.np.0F.W0 12 L=x",
  vmovlhps: "Vx,Hx,Ux ve.np.0F.W0 16 L=x",
  vucomiss: "?Vx,Wx ve.np.0F.W0 2E b4 L=x",
  vucomisd: "?Vx,Wx ve.66.0F.WIG1 2E b8 L=x",
  vinsertps: "Vx,Hx,Wx,Ib ve.66.0F3A.W0 21 b4 L=x",
} as const satisfies Rows;

const elements = {
  vpinsrb: ["Vx,Hx,Rd,Ib ve.66.0F3A 20 b1 L=x", "Vx,Hx,M,Ib ve.66.0F3A 20 b1 L=x"],
  vpinsrw: ["Vx,Hx,Rd,Ib ve.66.0F C4 b2 L=x", "Vx,Hx,M,Ib ve.66.0F C4 b2 L=x"],
  vpextrb: ["Rd,Vx,Ib ve.66.0F3A 14 b1 L=x", "M,Vx,Ib ve.66.0F3A 14 b1 L=x"],
  vpextrw: ["Gd,Ux,Ib ve.66.0F C5 b2 L=x", "M,Vx,Ib ve.66.0F3A 15 b2 L=x"],
} as const satisfies Rows;

const wideElements = {
  vpinsrd: "Vx,Hx,Ed,Ib ve.66.0F3A.W0 22 b4 L=x",
  vpinsrq: "Vx,Hx,Eq,Ib ve.66.0F3A.W1 22 b8 L=x",
  vpextrd: "Ed,Vx,Ib ve.66.0F3A.W0 16 b4 L=x",
  vpextrq: "Eq,Vx,Ib ve.66.0F3A.W1 16 b8 L=x",
} as const satisfies Rows;

const broadcasts = {
  vbroadcastss: "V,Wx ve.66.0F38.W0 18 b4",
  vbroadcastsd: "V,Wx ve.66.0F38.WIG1 19 b8 L=yz",
  vbroadcastf128: "V,M v.66.0F38.W0 1A L=y",
  vbroadcastf32x4: "V,M e.66.0F38.W0 1A b16 L=yz",
  vbroadcastf64x4: "V,M e.66.0F38.W1 1B b32 L=z",
  vpbroadcastd: ["V,Wx ve.66.0F38.W0 58 b4", "V,Rd e.66.0F38.W0 7C"],
  vpbroadcastq: ["V,Wx ve.66.0F38.WIG1 59 b8", "V,Rq e.66.0F38.W1 7C"],
} as const satisfies Rows;

const smallBroadcasts = {
  vpbroadcastb: ["V,Wx ve.66.0F38.W0 78 b1", "V,Rd e.66.0F38.W0 7A"],
  vpbroadcastw: ["V,Wx ve.66.0F38.W0 79 b2", "V,Rd e.66.0F38.W0 7B"],
} as const satisfies Rows;

/** VEX masks are vectors and are cleared; EVEX masks are mask registers and are cleared. */
const gathers = {
  vgatherdps: ["+V,S,^H v.66.0F38.W0 92", "+V,S e.66.0F38.W0 92 b4"],
  vgatherdpd: ["+V,Sh,^H v.66.0F38.W1 92", "+V,Sh e.66.0F38.W1 92 b8"],
  vpgatherdd: ["+V,S,^H v.66.0F38.W0 90", "+V,S e.66.0F38.W0 90 b4"],
  vpgatherdq: ["+V,Sh,^H v.66.0F38.W1 90", "+V,Sh e.66.0F38.W1 90 b8"],
  vscatterdps: "?S,V e.66.0F38.W0 A2 b4",
  vscatterdpd: "?Sh,V e.66.0F38.W1 A2 b8",
  vpscatterdd: "?S,V e.66.0F38.W0 A0 b4",
} as const satisfies Rows;

const conversions = {
  vcvtdq2ps: "V,W ve.np.0F.W0 5B full4",
  vcvtps2dq: "V,W ve.66.0F.W0 5B full4",
  vcvttps2dq: "V,W ve.F3.0F.W0 5B full4",
  vcvtudq2ps: "V,W e.F2.0F.W0 7A full4",
  vcvttps2udq: "V,W e.np.0F.W0 78 full4",
  vcvtps2udq: "V,W e.np.0F.W0 79 full4",
  vcvtps2pd: "V,Wh ve.np.0F.W0 5A half4",
  vcvtpd2ps: "Vh,U ve.66.0F.WIG1 5A full8",
  vcvtdq2pd: "V,Wh ve.F3.0F.W0 E6 half4",
  vcvtudq2pd: "V,Wh e.F3.0F.W0 7A half4",
  vcvtpd2dq: "Vh,U ve.F2.0F.WIG1 E6 full8",
  vcvttpd2dq: "Vh,U ve.66.0F.WIG1 E6 full8",
  vcvttpd2udq: "Vh,U e.np.0F.W1 78 full8",
  vcvtss2sd: "Vx,Hx,Wx ve.F3.0F.W0 5A b4 L=x",
  vcvtsd2ss: "Vx,Hx,Wx ve.F2.0F.WIG1 5A b8 L=x",
  vcvtsi2ss: "Vx,Hx,Ry ve.F3.0F.Wy 2A L=x",
  vcvtsi2sd: "Vx,Hx,Rq ve.F2.0F.W1 2A L=x",
  vcvttss2si: "Gy,Ux ve.F3.0F.Wy 2C L=x",
  vcvttsd2si: "Gy,Ux ve.F2.0F.Wy 2C L=x",
} as const satisfies Rows;

const halfFloats = {
  vcvtph2ps: "V,Wh ve.66.0F38.W0 13 half",
  vcvtps2ph: "Wh,V,Ib ve.66.0F3A.W0 1D half",
} as const satisfies Rows;

const extensions = {
  vpmovsxbd: "V,Wq ve.66.0F38 21 quarter",
  vpmovsxbq: "V,We ve.66.0F38 22 eighth",
  vpmovsxwd: "V,Wh ve.66.0F38 23 half",
  vpmovsxwq: "V,Wq ve.66.0F38 24 quarter",
  vpmovsxdq: "V,Wh ve.66.0F38.W0 25 half",
  vpmovzxbd: "V,Wq ve.66.0F38 31 quarter",
  vpmovzxbq: "V,We ve.66.0F38 32 eighth",
  vpmovzxwd: "V,Wh ve.66.0F38 33 half",
  vpmovzxwq: "V,Wq ve.66.0F38 34 quarter",
  vpmovzxdq: "V,Wh ve.66.0F38.W0 35 half",
} as const satisfies Rows;

const narrowing = {
  vpmovdb: "Wq,V e.F3.0F38.W0 31 quarter",
  vpmovusdb: "Wq,V e.F3.0F38.W0 11 quarter",
  vpmovsdb: "Wq,V e.F3.0F38.W0 21 quarter",
  vpmovdw: "Wh,V e.F3.0F38.W0 33 half",
  vpmovusdw: "Wh,V e.F3.0F38.W0 13 half",
  vpmovsdw: "Wh,V e.F3.0F38.W0 23 half",
  vpmovqd: "Wh,V e.F3.0F38.W0 35 half",
} as const satisfies Rows;

const byteExtensions = {
  vpmovsxbw: "V,Wh ve.66.0F38 20 half",
  vpmovzxbw: "V,Wh ve.66.0F38 30 half",
} as const satisfies Rows;
const wordNarrowing = { vpmovwb: "Wh,V e.F3.0F38.W0 30 half" } as const satisfies Rows;

export const moveForms = [
  [{ vex: "AVX", evex: "AVX512F" }, whole],
  [{ evex: "AVX512BW" }, wholeBytes],
  [{ vex: "AVX2" }, wholeIntegers],
  [{ vex: "AVX", evex: "AVX512F" }, single],
  [{ vex: "AVX", evex: "AVX512BW" }, elements],
  [{ vex: "AVX", evex: "AVX512DQ" }, wideElements],
  [{ vex: "AVX2", evex: "AVX512F" }, broadcasts],
  [{ vex: "AVX2", evex: "AVX512BW" }, smallBroadcasts],
  [{ vex: "AVX2", evex: "AVX512F" }, gathers],
  [{ vex: "AVX", evex: "AVX512F" }, conversions],
  [{ vex: "F16C", evex: "AVX512F" }, halfFloats],
  [{ vex: "AVX2", evex: "AVX512F" }, extensions],
  [{ evex: "AVX512F" }, narrowing],
  [{ vex: "AVX2", evex: "AVX512BW" }, byteExtensions],
  [{ evex: "AVX512BW" }, wordNarrowing],
] as const;
