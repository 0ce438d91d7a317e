/** What lives in memory is worked on in registers that are free there; where none is, some are kept aside. */
import { describe, expect, it } from "vitest";
import { loadCode, unloadCode } from "../../../runtime/x64/code-memory.ts";
import { doctor } from "../../../runtime/x64/doctor.ts";
import { requireNativeSystem } from "../../../runtime/x64/system.ts";
import { Assembler } from "../assembler/assembler.ts";
import { at, gpr64, type Register } from "../assembler/operands.ts";
import { avx2 } from "../isa.ts";
import { MachineCode } from "./code.ts";
import { type FinishedFunction, finishFunction } from "./finish.ts";

const { isa: native } = doctor();
const turns = 3;

interface Made {
  readonly finished: FinishedFunction;
  readonly assembler: Assembler;
}

/**
 * f(floats): the sums of so many numbers with themselves `turns` times over, all alive in one loop, and a constant that is
 * needed before it and after. The results lie behind the numbers.
 */
function sums(count: number): Made {
  const assembler = new Assembler();
  assembler.begin("sums");
  const code = new MachineCode(assembler);
  const record = code.general();
  code.atStart(() => code.emit("mov", record, gpr64(7)));
  const words = new Uint8Array(32);
  new Int32Array(words.buffer)[0] = 5;
  const home = assembler.constant(words);
  const constant = code.virtual("vector", 256, home);
  code.atStart(() => code.emit("vmovups", constant, home));
  /** The upper half of the constant, which is zero, beside a number: an instruction that takes no constant from memory. */
  const useConstant = (place: number): void => {
    const number = code.vector(128);
    code.emit("vcvtsi2sd", number, { ...constant, bits: 128 }, record);
    code.emit("vsubsd", number, number, number);
    code.emit("vmovss", at(record, place, 32), number);
  };
  useConstant(8 * count);
  const values: Register[] = Array.from({ length: count }, (_, i) => {
    const value = code.vector(128);
    code.emit("vmovss", value, at(record, 4 * i, 32));
    return value;
  });
  const terms = code.general();
  code.emit("mov", terms, turns);
  code.mark("loopStart");
  const top = code.label();
  code.bind(top);
  for (const value of values) code.emit("vaddss", value, value, value);
  code.emit("sub", terms, 1);
  code.emit("jne", top);
  code.mark("loopEnd");
  values.forEach((value, i) => void code.emit("vmovss", at(record, 4 * (count + i), 32), value));
  useConstant(8 * count + 4);
  const finished = finishFunction(code, avx2, record);
  return { finished, assembler };
}

function run({ assembler }: Made, count: number): Float32Array {
  const system = requireNativeSystem();
  const loaded = loadCode(system, assembler.finish());
  const memory = system.mapMemory(4096)!;
  const floats = new Float32Array(system.bytesAt(memory, 4 * (2 * count + 2)).buffer, 0, 2 * count + 2);
  floats.fill(Number.NaN);
  for (let i = 0; i < count; i++) floats[i] = i + 1;
  system.host.functionAt(loaded.address, 1)(memory);
  const results = floats.slice();
  system.unmap(memory, 4096);
  unloadCode(system, loaded);
  return results;
}

const slotless = sums(1).finished.frameBytes;

describe("values in memory", () => {
  it("take no register from a loop that is full of others", () => {
    const { spills, frameBytes } = sums(avx2.vectorRegisters).finished;
    // The constant alone, and it has a place in memory.
    expect({ spills, frameBytes }).toEqual({ spills: 1, frameBytes: slotless });
  });

  it.skipIf(native === undefined).each([1, 15, 16, 17, 18, 24])("are right with %i in one loop", (count) => {
    const made = sums(count);
    expect(made.finished.frameBytes > slotless).toBe(count > avx2.vectorRegisters);
    const numbers = Array.from({ length: count }, (_, i) => i + 1);
    expect([...run(made, count)]).toEqual([...numbers, ...numbers.map((n) => n * 2 ** turns), 0, 0]);
  });
});
