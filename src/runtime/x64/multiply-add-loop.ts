/** What machine code reaches at most: fused multiply-adds of registers alone, on one thread. */
import { Assembler } from "../../codegen/x64/assembler/assembler.ts";
import { at, rdi, register, rsi } from "../../codegen/x64/assembler/operands.ts";
import { avx2, avx512 } from "../../codegen/x64/isa.ts";
import { loadCode } from "./code-memory.ts";
import { requireNativeSystem } from "./system.ts";

export type LoopIsa = "avx2" | "avx512";

export interface NativeLoop {
  /** Floating-point operations of one pass. */
  readonly flop: number;
  run(passes: number): void;
}

/** Chains that do not wait for each other: as many as registers allow beside the two factors. */
const spare = 4;

/** x ← x·a + b in every chain, with a = ½ and b = 1, so that all stay near 2. */
export function multiplyAddLoop(name: LoopIsa): NativeLoop {
  const { vector, vectorRegisters } = { avx2, avx512 }[name];
  const system = requireNativeSystem();
  const chains = vectorRegisters - spare;
  const v = (number: number) => register("vector", number, vector.bits);
  const [factor, term] = [v(chains), v(chains + 1)];
  const a = new Assembler();
  a.begin("multiply-add loop");
  a.emit("vbroadcastss", factor, at(rsi, 0, 32));
  a.emit("vbroadcastss", term, at(rsi, 4, 32));
  for (let i = 0; i < chains; i++) a.emit("vmovaps", v(i), term);
  a.align(64);
  const top = a.here();
  for (let i = 0; i < chains; i++) a.emit("vfmadd213ps", v(i), factor, term);
  a.emit("sub", rdi, 1);
  a.emit("jne", top);
  a.emit("vzeroupper");
  a.emit("ret");
  const { address } = loadCode(system, a.finish());
  const constants = system.mapMemory(4096)!;
  new Float32Array(system.bytesAt(constants, 8).buffer).set([0.5, 1]);
  const call = system.host.functionAt(address, 2);
  return { flop: 2 * chains * vector.lanes, run: (passes) => void call(passes, constants) };
}
