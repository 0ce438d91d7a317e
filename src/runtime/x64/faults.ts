/** Who ran when a fault happens in generated code: a table of its functions in memory, which a generated handler searches. */
import { env } from "#platform";
import { Assembler, type CodeSymbol } from "../../codegen/x64/assembler/assembler.ts";
import {
  emitFaultHandler,
  faultFunction,
  faultSignals,
  faultTable,
  faultTableBytes,
} from "../../codegen/x64/faults.ts";
import { type LoadedCode, loadCode } from "./code-memory.ts";
import type { NativeSystem } from "./system.ts";

/** glibc's and musl's `struct sigaction`. */
const action = { handler: 0, mask: 8, flags: 136, bytes: 152 } as const;
const withInformation = 4;
const onOwnStack = 0x08000000;
/** Bytes for the texts; where they are used up, later functions have no name. */
const textBytes = 4 * 2 ** 20;

export class FaultNames {
  private readonly table: DataView;
  private readonly texts: Uint8Array;
  private readonly textAddress: number;
  private used = 0;

  private constructor(system: NativeSystem, address: number, texts: number) {
    this.table = new DataView(system.bytesAt(address, faultTableBytes).buffer);
    this.texts = system.bytesAt(texts, textBytes);
    this.textAddress = texts;
  }

  /** Installs the handler; undefined where the system has no memory for it, or `NETWRIGHT_FAULT_HANDLER=0` asks for none. */
  static install(system: NativeSystem): FaultNames | undefined {
    if (env("NETWRIGHT_FAULT_HANDLER") === "0") return undefined;
    const table = system.mapMemory(faultTableBytes, { reserveOnly: true });
    const texts = system.mapMemory(textBytes, { reserveOnly: true });
    const scratch = system.mapMemory(2 * action.bytes);
    if (table === undefined || texts === undefined || scratch === undefined) return undefined;
    const names = new FaultNames(system, table, texts);
    const a = new Assembler();
    emitFaultHandler(a, table);
    const { address } = loadCode(system, a.finish());
    const view = new DataView(system.bytesAt(scratch, 2 * action.bytes).buffer);
    for (const { number } of faultSignals) names.replace(system, { number, address, scratch, view });
    return names;
  }

  /** Keeps the flags and the mask of the handler that is there. */
  private replace(
    system: NativeSystem,
    { number, address, scratch, view }: { number: number; address: number; scratch: number; view: DataView },
  ): void {
    if (system.signalAction(number, 0, scratch + action.bytes) !== 0) return;
    const previous = view.getBigUint64(action.bytes + action.handler, true);
    this.table.setBigUint64(faultTable.previous + 8 * number, previous, true);
    for (let i = 0; i < action.bytes; i++) view.setUint8(i, view.getUint8(action.bytes + i));
    view.setBigUint64(action.handler, BigInt(address), true);
    const flags = view.getInt32(action.flags, true);
    view.setInt32(action.flags, flags | withInformation | onOwnStack, true);
    system.signalAction(number, scratch, 0);
  }

  private get count(): number {
    return Number(this.table.getBigUint64(faultTable.count, true));
  }
  private set count(value: number) {
    this.table.setBigUint64(faultTable.count, BigInt(value), true);
  }

  /** The functions of a program that is loaded. */
  add({ address }: LoadedCode, symbols: readonly CodeSymbol[], program: string): void {
    for (const { name, start, bytes } of symbols) {
      const text = new TextEncoder().encode(`kernel "${name}" of "${program}"`);
      if (this.used + text.length > textBytes || this.count === faultTable.most) return;
      this.texts.set(text, this.used);
      const entry = faultTable.functions + this.count * faultFunction.bytes;
      const put = (offset: number, value: number): void =>
        this.table.setBigUint64(entry + offset, BigInt(value), true);
      put(faultFunction.start, address + start);
      put(faultFunction.end, address + start + bytes);
      put(faultFunction.text, this.textAddress + this.used);
      put(faultFunction.textBytes, text.length);
      this.used += text.length;
      this.count++;
    }
  }

  /** Forgets a program that is about to be unloaded: other code may come to lie there. */
  remove({ address, bytes }: LoadedCode): void {
    const word = (index: number, offset: number): number =>
      Number(this.table.getBigUint64(faultTable.functions + index * faultFunction.bytes + offset, true));
    for (let i = this.count - 1; i >= 0; i--) {
      const start = word(i, faultFunction.start);
      if (start < address || start >= address + bytes) continue;
      const last = this.count - 1;
      for (let offset = 0; offset < faultFunction.bytes; offset += 8)
        this.table.setBigUint64(
          faultTable.functions + i * faultFunction.bytes + offset,
          BigInt(word(last, offset)),
          true,
        );
      this.count = last;
    }
    if (this.count === 0) this.used = 0;
  }
}

let installed: { readonly names: FaultNames | undefined } | undefined;

/** The process's table; the handler is installed with the first program. */
export const faultNames = (system: NativeSystem): FaultNames | undefined =>
  (installed ??= { names: FaultNames.install(system) }).names;
