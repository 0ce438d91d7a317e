/**
 * The signal handler that names the kernel in which a fault happened. JavaScript cannot: after the fault it runs no more. A fault
 * elsewhere (WebAssembly's own, say) goes on to the handler that was there before.
 */
import type { Assembler } from "./assembler/assembler.ts";
import {
  at,
  gpr32,
  gpr64,
  type Label,
  memory,
  rax,
  rbx,
  rcx,
  rdi,
  rdx,
  rsi,
  rsp,
} from "./assembler/operands.ts";

/** The signals of a fault, as Linux numbers them. */
export const faultSignals = [
  { name: "SIGSEGV", number: 11 },
  { name: "SIGBUS", number: 7 },
  { name: "SIGILL", number: 4 },
  { name: "SIGFPE", number: 8 },
] as const;

/** What a page of a mapped file gives that the file no longer has. */
const busError = 7;

/** The table in memory: how many functions, the handlers that were there before by signal number, the functions. */
export const faultTable = { count: 0, previous: 64, functions: 1024, most: 65_000 } as const;
/** One function: from where to where it reaches, and the text to print. */
export const faultFunction = { start: 0, end: 8, text: 16, textBytes: 24, bytes: 32 } as const;
export const faultTableBytes = faultTable.functions + faultTable.most * faultFunction.bytes;

const systemCalls = { write: 1, signalAction: 13 } as const;
const standardError = 2;
/** In the context that the system hands over: uc_mcontext.gregs[REG_RIP]. */
const instructionPointer = 168;
const [r8, r9, r12, r13] = [gpr64(8), gpr64(9), gpr64(12), gpr64(13)];
const [eax, ecx, edi, edx] = [gpr32(0), gpr32(1), gpr32(7), gpr32(2)];

/** The handler, `f(signal, information, context)`, for the table at `table`. */
export function emitFaultHandler(a: Assembler, table: number): void {
  a.begin("fault handler");
  const kept = [rbx, r12, r13, rdi, rsi, rdx];
  for (const register of kept) a.emit("push", register);
  a.emit("sub", rsp, frameBytes);
  a.emit("movabs", r12, BigInt(table));
  a.emit("mov", rbx, at(rdx, instructionPointer));
  a.emit("mov", rcx, at(r12, faultTable.count));
  a.emit("lea", r13, at(r12, faultTable.functions));
  const [next, unknown, found] = [a.label(), a.label(), a.label()];
  const look = a.here();
  a.emit("test", rcx, rcx);
  a.emit("je", unknown);
  a.emit("cmp", rbx, at(r13, faultFunction.start));
  a.emit("jb", next);
  a.emit("cmp", rbx, at(r13, faultFunction.end));
  a.emit("jb", found);
  a.bind(next);
  a.emit("add", r13, faultFunction.bytes);
  a.emit("sub", rcx, 1);
  a.emit("jmp", look);

  a.bind(found);
  emitMessage(a);
  const fatal = a.label();
  a.emit("jmp", fatal);

  a.bind(unknown);
  a.emit("mov", rdi, at(rsp, signalPlace));
  a.emit("mov", rax, memory({ base: r12, index: rdi, scale: 8, displacement: faultTable.previous }));
  a.emit("test", rax, rax);
  a.emit("je", fatal);
  a.emit("add", rsp, frameBytes);
  for (const register of [...kept].reverse()) a.emit("pop", register);
  const ignored = a.label();
  a.emit("cmp", rax, 1);
  a.emit("je", ignored);
  // With the caller's registers and stack, as if the system had called it.
  a.emit("jmp", rax);
  a.bind(ignored);
  a.emit("ret");

  // The instruction runs again, and this time the fault ends the process with its signal.
  a.bind(fatal);
  emitDefault(a);
  a.emit("add", rsp, frameBytes);
  for (const register of [...kept].reverse()) a.emit("pop", register);
  a.emit("ret");
}

/** Room for a number's digits and for an empty signal action. */
const frameBytes = 64;
const signalPlace = frameBytes + 16;

/** Writes "netwright: SIGSEGV in KERNEL, at 0x…"; r13 is the function's entry, rbx the address. */
function emitMessage(a: Assembler): void {
  const write = (): void => {
    a.emit("mov", edi, standardError);
    a.emit("mov", eax, systemCalls.write);
    a.emit("syscall");
  };
  for (const { name, number } of faultSignals) {
    const other = a.label();
    a.emit("cmp", at(rsp, signalPlace, 32), number);
    a.emit("jne", other);
    emitText(a, `netwright: ${name} in `);
    write();
    a.bind(other);
  }
  a.emit("mov", rsi, at(r13, faultFunction.text));
  a.emit("mov", rdx, at(r13, faultFunction.textBytes));
  write();
  emitText(a, ", at 0x");
  write();
  emitDigits(a);
  write();
  const [shorter, said] = [a.label(), a.label()];
  a.emit("cmp", at(rsp, signalPlace, 32), busError);
  a.emit("je", shorter);
  emitText(a, ": generated code touched memory it should not have; please report it\n");
  a.emit("jmp", said);
  a.bind(shorter);
  emitText(a, ": a file of weights was cut short while it was in use (mmap); replace files by renaming\n");
  a.bind(said);
  write();
}

/** The text's address and length, for a write: 16 bytes at a time are constants behind the code. */
function emitText(a: Assembler, text: string): void {
  const bytes = new TextEncoder().encode(text);
  const padded = new Uint8Array(Math.ceil(bytes.length / 64) * 64);
  padded.set(bytes);
  a.emit("lea", rsi, a.constant(padded));
  a.emit("mov", edx, bytes.length);
}

/** rbx in 12 hexadecimal digits: the system gives programs 48 bits of addresses. */
function emitDigits(a: Assembler): void {
  const digits = 12;
  const [letter, done] = [a.label(), a.label()];
  a.emit("mov", r8, rbx);
  a.emit("lea", r9, at(rsp, digits));
  a.emit("mov", ecx, digits);
  const top: Label = a.here();
  a.emit("mov", rax, r8);
  a.emit("and", eax, 15);
  a.emit("cmp", eax, 10);
  a.emit("jae", letter);
  a.emit("add", eax, 0x30);
  a.emit("jmp", done);
  a.bind(letter);
  a.emit("add", eax, 0x61 - 10);
  a.bind(done);
  a.emit("sub", r9, 1);
  a.emit("mov", at(r9, 0, 8), gpr8(0));
  a.emit("shr", r8, 4);
  a.emit("sub", ecx, 1);
  a.emit("jne", top);
  a.emit("lea", rsi, at(rsp, 0));
  a.emit("mov", edx, digits);
}

const gpr8 = (number: number) => ({ ...gpr64(number), bits: 8 }) as const;

/** The signal's action becomes the system's default: the process ends. */
function emitDefault(a: Assembler): void {
  a.emit("xor", eax, eax);
  for (let offset = 0; offset < 32; offset += 8) a.emit("mov", at(rsp, offset), rax);
  a.emit("mov", rdi, at(rsp, signalPlace));
  a.emit("mov", rsi, rsp);
  a.emit("xor", edx, edx);
  a.emit("mov", gpr32(10), 8);
  a.emit("mov", eax, systemCalls.signalAction);
  a.emit("syscall");
}
