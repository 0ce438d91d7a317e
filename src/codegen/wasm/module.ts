/** The sections of a module: an imported memory, functions, mutable i32 globals, exports and names. */
import { Bytes } from "./bytes.ts";
import type { Code, Locals } from "./code.ts";
import { opcodes, type ValueType, valueTypes } from "./opcodes.ts";

export interface FunctionType {
  readonly parameters: readonly ValueType[];
  readonly results: readonly ValueType[];
}

export interface MemoryImport {
  readonly shared: boolean;
  /** 64 KiB pages. */
  readonly initialPages: number;
  readonly maximumPages: number;
}

interface Function {
  readonly name: string;
  readonly type: number;
  readonly body: Bytes;
}

const section = { type: 1, import: 2, function: 3, global: 6, export: 7, code: 10 } as const;

export class ModuleBuilder {
  private readonly types: string[] = [];
  private readonly typeBytes: Bytes[] = [];
  private readonly functions: (Function | undefined)[] = [];
  private readonly exports: { name: string; index: number }[] = [];
  private globals = 0;
  private readonly memory: MemoryImport;
  private readonly name: string;

  constructor(name: string, memory: MemoryImport) {
    this.name = name;
    this.memory = memory;
  }

  /** A function's index, given out before its body is known, so that others can call it. */
  declare(): number {
    return this.functions.push(undefined) - 1;
  }
  define(index: number, name: string, type: FunctionType, locals: Locals, code: readonly Code[]): void {
    const body = locals.encode();
    for (const part of code) body.append(part.bytes);
    body.byte(opcodes.structure.end);
    this.functions[index] = { name, type: this.typeIndex(type), body };
  }
  export(name: string, index: number): void {
    this.exports.push({ name, index });
  }
  /** A mutable i32, 0 at first; each instance (each thread) has its own. */
  global(): number {
    return this.globals++;
  }

  private typeIndex({ parameters, results }: FunctionType): number {
    const key = `${parameters}>${results}`;
    const known = this.types.indexOf(key);
    if (known >= 0) return known;
    const bytes = new Bytes();
    bytes.byte(0x60);
    for (const list of [parameters, results]) {
      bytes.unsigned(list.length);
      for (const type of list) bytes.byte(valueTypes[type]);
    }
    this.typeBytes.push(bytes);
    return this.types.push(key) - 1;
  }

  encode(): Uint8Array {
    const out = new Bytes();
    out.bytes([0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00]);
    const functions = this.functions.map((f) => f!);
    list(out, section.type, this.typeBytes, (bytes, type) => bytes.append(type));
    list(out, section.import, [this.memory], importMemory);
    list(out, section.function, functions, (bytes, f) => bytes.unsigned(f.type));
    if (this.globals > 0) {
      const zero = [valueTypes.i32, 1, opcodes.constant["i32.const"], 0, opcodes.structure.end];
      list(out, section.global, Array(this.globals).fill(zero), (bytes, g: number[]) => bytes.bytes(g));
    }
    list(out, section.export, this.exports, (bytes, { name, index }) => {
      bytes.text(name);
      bytes.byte(0);
      bytes.unsigned(index);
    });
    list(out, section.code, functions, (bytes, f) => bytes.counted(f.body));
    this.names(out, functions);
    return out.view().slice();
  }

  /** The custom section that profilers and stack traces read. */
  private names(out: Bytes, functions: readonly Function[]): void {
    const names = new Bytes();
    names.text("name");
    const module = new Bytes();
    module.text(this.name);
    names.byte(0);
    names.counted(module);
    const map = new Bytes();
    map.unsigned(functions.length);
    functions.forEach(({ name }, index) => {
      map.unsigned(index);
      map.text(name);
    });
    names.byte(1);
    names.counted(map);
    out.byte(0);
    out.counted(names);
  }
}

function list<T>(out: Bytes, id: number, items: readonly T[], write: (bytes: Bytes, item: T) => void): void {
  const bytes = new Bytes();
  bytes.unsigned(items.length);
  for (const item of items) write(bytes, item);
  out.byte(id);
  out.counted(bytes);
}

function importMemory(bytes: Bytes, { shared, initialPages, maximumPages }: MemoryImport): void {
  bytes.text("netwright");
  bytes.text("memory");
  bytes.byte(2);
  bytes.byte(shared ? 3 : 1);
  bytes.unsigned(initialPages);
  bytes.unsigned(maximumPages);
}
