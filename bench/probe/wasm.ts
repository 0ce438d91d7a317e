/**
 * Two small WebAssembly modules, emitted here byte by byte, that measure what the machine gives to any WebAssembly code on
 * one thread: arithmetic that touches registers only, and a stream through memory. Numbers of opcodes: WebAssembly core
 * specification 3.0, "Binary format".
 */

const I32 = 0x7f;
const F32 = 0x7d;
const V128 = 0x7b;
const LOOP = [0x03, 0x40];
const END = 0x0b;
const simd = (opcode: number, ...immediates: number[]): number[] => [
  0xfd,
  ...unsigned(opcode),
  ...immediates,
];
const SPLAT = simd(0x13);
const ADD = simd(0xe4);
const MULTIPLY = simd(0xe6);
/** Relaxed SIMD: a · b + c, fused where the processor has it. */
const FUSED_MULTIPLY_ADD = simd(0x105);

export interface ArithmeticLoop {
  /** Floating-point operations of one pass. */
  readonly flop: number;
  run(passes: number): number;
}

/**
 * A loop of independent chains `x ← x · scale + shift`, all in registers. Null where the engine does not know relaxed
 * SIMD. The number of chains is what hides the latency: callers try several and take the fastest.
 */
export function arithmeticLoop(chains: number, fused: boolean): ArithmeticLoop | null {
  const [scale, shift] = [chains + 1, chains + 2];
  const setup = [
    ...Array.from({ length: chains }, (_, i) => [...constant(1 + i / 8), ...SPLAT, ...set(1 + i)]),
    [...constant(0.9999), ...SPLAT, ...set(scale)],
    [...constant(0.0001), ...SPLAT, ...set(shift)],
  ].flat();
  const pass = Array.from({ length: chains }, (_, i) => {
    const step = fused
      ? [...get(scale), ...get(shift), ...FUSED_MULTIPLY_ADD]
      : [...get(scale), ...MULTIPLY, ...get(shift), ...ADD];
    return [...get(1 + i), ...step, ...set(1 + i)];
  }).flat();
  const total = Array.from({ length: chains }, (_, i) => [...get(1 + i), ...(i > 0 ? ADD : [])]).flat();
  const body = [
    ...unsigned(1),
    ...unsigned(chains + 2),
    V128,
    ...setup,
    ...LOOP,
    ...pass,
    ...countDown(0, 1),
    END,
    ...total,
    ...simd(0x1f, 0),
    END,
  ];
  const bytes = moduleOf([I32], [F32], body, 0);
  if (!WebAssembly.validate(bytes)) return null;
  const run = instantiate(bytes).run as (passes: number) => number;
  return { flop: chains * 4 * 2, run };
}

export interface TriadLoop {
  /** `a[i] = b[i] + 3 · c[i]` over all elements. */
  run(): void;
  readonly a: Float32Array;
  readonly b: Float32Array;
  readonly c: Float32Array;
}

const UNROLLED = 4;

/** The triad over three arrays of `elements` f32, a multiple of 16, in one memory. */
export function triadLoop(elements: number): TriadLoop {
  const size = elements * 4;
  const lines = Array.from({ length: UNROLLED }, (_, i) => {
    const load = (base: number): number[] => [...get(0), ...simd(0x00, 4, ...unsigned(base + 16 * i))];
    const sum = [...load(size), ...load(2 * size), ...get(2), ...MULTIPLY, ...ADD];
    return [...get(0), ...sum, ...simd(0x0b, 4, ...unsigned(16 * i))];
  }).flat();
  const body = [
    ...unsigned(1),
    ...unsigned(1),
    V128,
    ...[...constant(3), ...SPLAT, ...set(2)],
    ...LOOP,
    ...lines,
    ...[...get(0), 0x41, ...signed(16 * UNROLLED), 0x6a, ...set(0)],
    ...countDown(1, 1),
    END,
    END,
  ];
  const exports = instantiate(moduleOf([I32, I32], [], body, Math.ceil((3 * size) / 65536)));
  const run = exports.run as (start: number, passes: number) => void;
  const { buffer } = exports.memory as WebAssembly.Memory;
  const array = (index: number): Float32Array => new Float32Array(buffer, index * size, elements);
  return { a: array(0), b: array(1), c: array(2), run: () => run(0, elements / (4 * UNROLLED)) };
}

const instantiate = (bytes: Uint8Array<ArrayBuffer>): WebAssembly.Exports =>
  new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports;

/** A module with one function, exported as "run", and with `pages` > 0 a memory, exported as "memory". */
function moduleOf(
  parameters: number[],
  results: number[],
  body: number[],
  pages: number,
): Uint8Array<ArrayBuffer> {
  const memory = pages > 0;
  const exported = (name: string, kind: number): number[] => [...vector([...Buffer.from(name)]), kind, 0];
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [1, 0x60, ...vector(parameters), ...vector(results)]),
    ...section(3, [1, 0]),
    ...(memory ? section(5, [1, 0, ...unsigned(pages)]) : []),
    ...section(7, [memory ? 2 : 1, ...exported("run", 0), ...(memory ? exported("memory", 2) : [])]),
    ...section(10, [1, ...vector(body)]),
  ]);
}

const section = (id: number, content: number[]): number[] => [id, ...vector(content)];
const vector = (content: number[]): number[] => [...unsigned(content.length), ...content];
const get = (local: number): number[] => [0x20, ...unsigned(local)];
const set = (local: number): number[] => [0x21, ...unsigned(local)];
const constant = (value: number): number[] => [0x43, ...new Uint8Array(Float32Array.of(value).buffer)];
/** Subtracts `step` from a local and branches to the loop's start unless it has become 0. */
const countDown = (local: number, step: number): number[] => [
  ...[...get(local), 0x41, ...signed(step), 0x6b],
  ...[0x22, ...unsigned(local), 0x0d, 0],
];

function unsigned(value: number): number[] {
  const bytes: number[] = [];
  for (; value >= 0x80; value = Math.floor(value / 0x80)) bytes.push((value % 0x80) | 0x80);
  return [...bytes, value];
}

/** LEB128 of a small signed number (here: 0 … 2²⁰). */
function signed(value: number): number[] {
  const bytes: number[] = [];
  for (; value >= 0x40; value >>= 7) bytes.push((value & 0x7f) | 0x80);
  return [...bytes, value];
}
