/** The routine that notes a failed check: of all in one step the lowest (check, position, bits of value); earlier steps win. */
import type { Assembler } from "./assembler/assembler.ts";
import { at, gpr32, rax, rbx, rcx, rdi, rdx, rsi, rsp } from "./assembler/operands.ts";
import { reportArguments } from "./kernel.ts";
import {
  failedStepOffset,
  lockOffset,
  positionOffset,
  statusOffset,
  stepOffset,
  valueOffset,
} from "./layout.ts";

const saved = [rax, rbx, rcx, rdx, rsi, rdi];

/** Takes its arguments at the bottom of the caller's frame and keeps all registers. */
export function emitReport(a: Assembler): void {
  const above = 8 * (saved.length + 1);
  const [eax, ecx] = [gpr32(0), gpr32(1)];
  const [block, check, position, value] = [rdi, rbx, rdx, rsi];
  for (const register of saved) a.emit("push", register);
  a.emit("mov", check, at(rsp, above + reportArguments.check));
  a.emit("mov", position, at(rsp, above + reportArguments.position));
  a.emit("mov", value, at(rsp, above + reportArguments.value));
  a.emit("mov", block, at(rsp, above + reportArguments.block));
  a.emit("add", check, 1);
  const lock = a.here();
  const [locked, write, end] = [a.label(), a.label(), a.label()];
  a.emit("xor", eax, eax);
  a.emit("mov", ecx, 1);
  a.emit("lock cmpxchg", at(block, lockOffset, 32), ecx);
  a.emit("je", locked);
  a.emit("pause");
  a.emit("jmp", lock);
  a.bind(locked);
  a.emit("cmp", at(block, statusOffset), 0);
  a.emit("je", write);
  a.emit("mov", rax, at(block, stepOffset));
  a.emit("cmp", at(block, failedStepOffset), rax);
  a.emit("jne", end);
  const places = [
    [check, statusOffset],
    [position, positionOffset],
    [value, valueOffset],
  ] as const;
  for (const [register, offset] of places) {
    a.emit("cmp", register, at(block, offset));
    a.emit("jb", write);
    a.emit("ja", end);
  }
  a.emit("jmp", end);
  a.bind(write);
  for (const [register, offset] of places) a.emit("mov", at(block, offset), register);
  a.emit("mov", rax, at(block, stepOffset));
  a.emit("mov", at(block, failedStepOffset), rax);
  a.bind(end);
  a.emit("mov", at(block, lockOffset, 32), 0);
  for (const register of [...saved].reverse()) a.emit("pop", register);
  a.emit("ret");
}
