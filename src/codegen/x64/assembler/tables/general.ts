/** General registers: moves, arithmetic, jumps, atomics, BMI, and what asks or sets the processor. */
import type { Rows } from "./rows.ts";

const conditions = {
  o: 0,
  no: 1,
  b: 2,
  ae: 3,
  e: 4,
  ne: 5,
  be: 6,
  a: 7,
  s: 8,
  ns: 9,
  p: 10,
  np: 11,
  l: 12,
  ge: 13,
  le: 14,
  g: 15,
} as const;

export type Condition = keyof typeof conditions;
type ConditionalMnemonic = `j${Condition}` | `set${Condition}` | `cmov${Condition}`;

const hex = (opcode: number): string => opcode.toString(16).toUpperCase().padStart(2, "0");

function conditional(): Record<ConditionalMnemonic, string | readonly string[]> {
  const rows: Record<string, string | readonly string[]> = {};
  for (const [condition, code] of Object.entries(conditions)) {
    rows[`j${condition}`] = [`Jb legacy.np.one ${hex(0x70 + code)}`, `Jz legacy.np.0F ${hex(0x80 + code)}`];
    rows[`set${condition}`] = `Eb legacy.np.0F ${hex(0x90 + code)} /0`;
    rows[`cmov${condition}`] = `+Gv,Ev legacy.np.0F ${hex(0x40 + code)}`;
  }
  return rows as Record<ConditionalMnemonic, string | readonly string[]>;
}

/** One of the eight operations that share their encodings. */
const operation = (n: number, mark: "+" | "?"): readonly string[] => [
  `${mark}Ev,Gv legacy.np.one ${hex(n * 8 + 1)}`,
  `${mark}Gv,M legacy.np.one ${hex(n * 8 + 3)}`,
  `${mark}Ev,Is legacy.np.one 83 /${n}`,
  `${mark}Ev,Iz legacy.np.one 81 /${n}`,
];
const shift = (n: number): readonly string[] => [
  `+Ev,Ib legacy.np.one C1 /${n}`,
  `+Ev,CL legacy.np.one D3 /${n}`,
];
const locked = (n: number): readonly string[] => [
  `+M,Gv lock.np.one ${hex(n * 8 + 1)}`,
  `+M,Is lock.np.one 83 /${n}`,
];

const base = {
  mov: [
    "Ev,Gv legacy.np.one 89",
    "Gv,M legacy.np.one 8B",
    "Eb,Gb legacy.np.one 88",
    "Gb,M legacy.np.one 8A",
    "Od,Iz legacy.np.one B8",
    "Ev,Iz legacy.np.one C7 /0",
  ],
  movabs: "Oq,Iq legacy.np.one B8",
  movzx: ["Gv,Eb legacy.np.0F B6", "Gv,Ew legacy.np.0F B7"],
  movsx: ["Gv,Eb legacy.np.0F BE", "Gv,Ew legacy.np.0F BF"],
  movsxd: "Gq,Ed legacy.np.one 63",
  lea: "Gv,M legacy.np.one 8D",
  add: operation(0, "+"),
  or: operation(1, "+"),
  and: operation(4, "+"),
  sub: operation(5, "+"),
  xor: operation(6, "+"),
  cmp: operation(7, "?"),
  test: ["?Ev,Gv legacy.np.one 85", "?Ev,Iz legacy.np.one F7 /0"],
  imul: ["+Gv,Ev legacy.np.0F AF", "Gv,Ev,Is legacy.np.one 6B", "Gv,Ev,Iz legacy.np.one 69"],
  not: "+Ev legacy.np.one F7 /2",
  neg: "+Ev legacy.np.one F7 /3",
  mul: "?Ev legacy.np.one F7 /4",
  div: "?Ev legacy.np.one F7 /6",
  idiv: "?Ev legacy.np.one F7 /7",
  inc: "+Ev legacy.np.one FF /0",
  dec: "+Ev legacy.np.one FF /1",
  rol: shift(0),
  ror: shift(1),
  shl: shift(4),
  shr: shift(5),
  sar: shift(7),
  bt: "?Ev,Ib legacy.np.0F BA /4",
  xchg: "+Ev,^Gv legacy.np.one 87",
  push: ["?Oq legacy.np.one 50", "?Iz legacy.np.one 68"],
  pop: "Oq legacy.np.one 58",
  jmp: ["Jb legacy.np.one EB", "Jz legacy.np.one E9", "?Eq legacy.np.one FF /4"],
  call: ["Jz legacy.np.one E8", "?Eq legacy.np.one FF /2"],
  ret: "- legacy.np.one C3",
  nop: "- legacy.np.one 90",
  int3: "- legacy.np.one CC",
  ud2: "- legacy.np.0F 0B",
  pause: "- legacy.F3.one 90",
  cpuid: "- legacy.np.0F A2",
  xgetbv: "- legacy.np.0F 01D0",
  syscall: "- legacy.np.0F 05",
  rdtsc: "- legacy.np.0F 31",
  lfence: "- legacy.np.0F AEE8",
  mfence: "- legacy.np.0F AEF0",
  sfence: "- legacy.np.0F AEF8",
  ldmxcsr: "?M legacy.np.0F AE /2",
  stmxcsr: "M legacy.np.0F AE /3",
  prefetchnta: "?M legacy.np.0F 18 /0",
  prefetcht0: "?M legacy.np.0F 18 /1",
  prefetcht1: "?M legacy.np.0F 18 /2",
  prefetcht2: "?M legacy.np.0F 18 /3",
  prefetchw: "?M legacy.np.0F 0D /1",
  "lock xadd": "+M,^Gv lock.np.0F C1",
  "lock cmpxchg": "+M,Gv lock.np.0F B1",
  "lock add": locked(0),
  "lock or": locked(1),
  "lock and": locked(4),
  "lock sub": locked(5),
  "lock inc": "+M lock.np.one FF /0",
  "lock dec": "+M lock.np.one FF /1",
} as const satisfies Rows;

const bitManipulation = {
  popcnt: "Gv,Ev legacy.F3.0F B8",
  tzcnt: "Gv,Ev legacy.F3.0F BC",
  lzcnt: "Gv,Ev legacy.F3.0F BD",
  andn: "Gy,By,Ey v.np.0F38.Wy F2 L=x",
  blsr: "By,Ey v.np.0F38.Wy F3 /1 L=x",
  bextr: "Gy,Ey,By v.np.0F38.Wy F7 L=x",
  bzhi: "Gy,Ey,By v.np.0F38.Wy F5 L=x",
  pext: "Gy,By,Ey v.F3.0F38.Wy F5 L=x",
  pdep: "Gy,By,Ey v.F2.0F38.Wy F5 L=x",
  shlx: "Gy,Ey,By v.66.0F38.Wy F7 L=x",
  shrx: "Gy,Ey,By v.F2.0F38.Wy F7 L=x",
  sarx: "Gy,Ey,By v.F3.0F38.Wy F7 L=x",
  rorx: "Gy,Ey,Ib v.F2.0F3A.Wy F0 L=x",
} as const satisfies Rows;

export const generalForms = [
  [{}, base],
  [{}, conditional()],
  [{ vex: "BMI1,BMI2" }, bitManipulation],
] as const;
