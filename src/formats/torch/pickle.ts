/**
 * Python's pickles, as data: a stack machine that builds numbers, texts, lists and dictionaries, and calls nothing. A class or
 * function that a pickle names is looked up among those that the caller gives; any other is an error.
 *
 * The operations: `pickletools.py` of CPython, protocols 0 to 5, as far as state dictionaries use them.
 */
import { FormatError } from "../../base/errors.ts";

/** What pickles hold, once read: dictionaries are Maps, tuples and lists arrays; the rest is what `globals` make. */
export type Pickled = unknown;

/** What stands for a class or function: `call` gets the arguments, `state` what was set afterwards. */
export interface PickleGlobal {
  readonly name: string;
  readonly call?: (values: readonly Pickled[]) => Pickled;
}

export interface PickleOptions {
  /** What messages call the file. */
  readonly what: string;
  /** By module and name, `torch._utils._rebuild_tensor_v2`; undefined refuses it. */
  readonly global: (name: string) => PickleGlobal | undefined;
  /** What a persistent id stands for. */
  readonly persistent: (id: Pickled) => Pickled;
}

/** More objects than any model needs. */
const maxObjects = 2 ** 22;
const mark = Symbol("mark");

/** The first object of `bytes` from `at` on, and the position after it. */
export function unpickle(
  bytes: Uint8Array,
  options: PickleOptions,
  at = 0,
): { readonly value: Pickled; readonly end: number } {
  const machine = new Machine(bytes, options, at);
  return { value: machine.run(), end: machine.position };
}

class Machine {
  position: number;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #options: PickleOptions;
  readonly #stack: Pickled[] = [];
  readonly #memo = new Map<number, Pickled>();
  #objects = 0;

  constructor(bytes: Uint8Array, options: PickleOptions, at: number) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#options = options;
    this.position = at;
  }

  run(): Pickled {
    for (;;) {
      const at = this.position;
      const code = this.#unsigned(1);
      if (code === 0x2e) return this.#pop();
      if (++this.#objects > maxObjects) this.#fail(`it has more than ${maxObjects} operations`);
      const operation = operations[code];
      if (operation === undefined)
        this.#fail(`operation ${JSON.stringify(String.fromCharCode(code))} at byte ${at} is not supported`);
      operation!.call(this.#hands);
    }
  }

  #fail(problem: string): never {
    throw new FormatError(`${this.#options.what}: not a pickle of a state dictionary: ${problem}`);
  }

  #take(length: number): number {
    const at = this.position;
    if (!(length >= 0 && at + length <= this.#bytes.length))
      this.#fail(`it ends at byte ${this.#bytes.length}`);
    this.position = at + length;
    return at;
  }

  /** A little-endian number of 1, 2, 4 or 8 bytes. */
  #unsigned(length: number): number {
    const at = this.#take(length);
    if (length === 1) return this.#view.getUint8(at);
    if (length === 2) return this.#view.getUint16(at, true);
    if (length === 4) return this.#view.getUint32(at, true);
    return Number(this.#view.getBigUint64(at, true));
  }

  #pop(): Pickled {
    if (this.#stack.length === 0) this.#fail("a value is missing");
    const value = this.#stack.pop();
    if (value === mark) this.#fail("a mark stands where a value should");
    return value;
  }

  #popToMark(): Pickled[] {
    const at = this.#stack.lastIndexOf(mark);
    if (at < 0) this.#fail("a mark is missing");
    const values = this.#stack.splice(at + 1);
    this.#stack.pop();
    return values;
  }

  #top(): Pickled {
    return this.#stack[this.#stack.length - 1];
  }

  #global(name: string): PickleGlobal {
    const found = this.#options.global(name);
    if (found !== undefined) return found;
    throw new FormatError(
      `${this.#options.what} holds ${name}, which is code of Python and is not run; ` +
        "save the tensors alone: torch.save(model.state_dict(), path)",
    );
  }

  /** What operations may do. */
  readonly #hands: Hands = {
    unsigned: (length) => this.#unsigned(length),
    signed: () => this.#view.getInt32(this.#take(4), true),
    float: () => this.#view.getFloat64(this.#take(8)),
    bytes: (length) => {
      const at = this.#take(length);
      return this.#bytes.slice(at, at + length);
    },
    line: () => {
      const end = this.#bytes.indexOf(10, this.position);
      if (end < 0) this.#fail("a line does not end");
      const text = new TextDecoder().decode(this.#bytes.subarray(this.position, end));
      this.position = end + 1;
      return text;
    },
    push: (value) => void this.#stack.push(value),
    pop: () => this.#pop(),
    popToMark: () => this.#popToMark(),
    top: () => this.#top(),
    store: (index) => void this.#memo.set(index, this.#top()),
    recall: (index) => {
      if (!this.#memo.has(index)) this.#fail(`it recalls ${index}, which was not stored`);
      this.#stack.push(this.#memo.get(index));
    },
    memoized: () => this.#memo.size,
    drop: () => void this.#stack.pop(),
    global: (name) => this.#global(name),
    persistent: (id) => this.#options.persistent(id),
    fail: (problem) => this.#fail(problem),
  };
}

interface Hands {
  unsigned(length: number): number;
  signed(): number;
  float(): number;
  bytes(length: number): Uint8Array;
  line(): string;
  push(value: Pickled): void;
  pop(): Pickled;
  popToMark(): Pickled[];
  top(): Pickled;
  store(index: number): void;
  recall(index: number): void;
  memoized(): number;
  drop(): void;
  global(name: string): PickleGlobal;
  persistent(id: Pickled): Pickled;
  fail(problem: string): never;
}

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** A whole number of any length, in two's complement. */
function long(bytes: Uint8Array): number | bigint {
  let value = 0n;
  for (let i = bytes.length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i]!);
  if (bytes.length > 0 && bytes[bytes.length - 1]! >= 128) value -= 1n << BigInt(8 * bytes.length);
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

function setItems(machine: Hands, target: Pickled, items: readonly Pickled[]): void {
  if (!(target instanceof Map) || items.length % 2 !== 0)
    machine.fail("entries are set in what is no dictionary");
  for (let i = 0; i < items.length; i += 2) (target as Map<Pickled, Pickled>).set(items[i], items[i + 1]);
}

function append(machine: Hands, target: Pickled, items: readonly Pickled[]): void {
  if (!Array.isArray(target)) machine.fail("values are added to what is no list");
  for (const item of items) (target as Pickled[]).push(item);
}

function call(machine: Hands, target: Pickled, values: Pickled): Pickled {
  const { name, call } = (target ?? {}) as Partial<PickleGlobal>;
  if (call === undefined || !Array.isArray(values)) machine.fail(`it calls ${name ?? String(target)}`);
  return call!(values as Pickled[]);
}

type Operation = (this: Hands) => void;

/** By code. */
const operations: Readonly<Record<number, Operation | undefined>> = /* @__PURE__ */ Object.fromEntries(
  /* @__PURE__ */ Object.entries({
    // Protocol and frames say nothing that is needed.
    "\x80"() {
      this.unsigned(1);
    },
    "\x95"() {
      this.unsigned(8);
    },
    "("() {
      this.push(mark);
    },
    "0"() {
      this.drop();
    },
    "1"() {
      this.popToMark();
    },
    "2"() {
      this.push(this.top());
    },
    N() {
      this.push(null);
    },
    "\x88"() {
      this.push(true);
    },
    "\x89"() {
      this.push(false);
    },
    J() {
      this.push(this.signed());
    },
    K() {
      this.push(this.unsigned(1));
    },
    M() {
      this.push(this.unsigned(2));
    },
    I() {
      const line = this.line();
      this.push(line === "01" ? true : line === "00" ? false : Number(line));
    },
    L() {
      this.push(Number(this.line().replace(/L$/, "")));
    },
    "\x8a"() {
      this.push(long(this.bytes(this.unsigned(1))));
    },
    "\x8b"() {
      const length = this.unsigned(4);
      if (length > 1024) this.fail(`a whole number has ${length} bytes`);
      this.push(long(this.bytes(length)));
    },
    G() {
      this.push(this.float());
    },
    F() {
      this.push(Number(this.line()));
    },
    X() {
      this.push(text(this.bytes(this.unsigned(4))));
    },
    "\x8c"() {
      this.push(text(this.bytes(this.unsigned(1))));
    },
    "\x8d"() {
      this.push(text(this.bytes(this.unsigned(8))));
    },
    V() {
      this.push(this.line());
    },
    T() {
      this.push(text(this.bytes(this.unsigned(4))));
    },
    U() {
      this.push(text(this.bytes(this.unsigned(1))));
    },
    B() {
      this.push(this.bytes(this.unsigned(4)));
    },
    C() {
      this.push(this.bytes(this.unsigned(1)));
    },
    "}"() {
      this.push(new Map());
    },
    "]"() {
      this.push([]);
    },
    ")"() {
      this.push([]);
    },
    "\x8f"() {
      this.push([]);
    },
    "\x90"() {
      const items = this.popToMark();
      append(this, this.top(), items);
    },
    t() {
      this.push(this.popToMark());
    },
    l() {
      this.push(this.popToMark());
    },
    d() {
      const items = this.popToMark();
      const made = new Map();
      setItems(this, made, items);
      this.push(made);
    },
    "\x85"() {
      this.push([this.pop()]);
    },
    "\x86"() {
      const second = this.pop();
      this.push([this.pop(), second]);
    },
    "\x87"() {
      const [third, second] = [this.pop(), this.pop()];
      this.push([this.pop(), second, third]);
    },
    a() {
      const item = this.pop();
      append(this, this.top(), [item]);
    },
    e() {
      const items = this.popToMark();
      append(this, this.top(), items);
    },
    s() {
      const value = this.pop();
      const key = this.pop();
      setItems(this, this.top(), [key, value]);
    },
    u() {
      const items = this.popToMark();
      setItems(this, this.top(), items);
    },
    q() {
      this.store(this.unsigned(1));
    },
    r() {
      this.store(this.unsigned(4));
    },
    p() {
      this.store(Number(this.line()));
    },
    "\x94"() {
      this.store(this.memoized());
    },
    h() {
      this.recall(this.unsigned(1));
    },
    j() {
      this.recall(this.unsigned(4));
    },
    g() {
      this.recall(Number(this.line()));
    },
    c() {
      const module = this.line();
      this.push(this.global(`${module}.${this.line()}`));
    },
    "\x93"() {
      const name = this.pop();
      this.push(this.global(`${String(this.pop())}.${String(name)}`));
    },
    R() {
      const values = this.pop();
      this.push(call(this, this.pop(), values));
    },
    "\x81"() {
      const values = this.pop();
      this.push(call(this, this.pop(), values));
    },
    // What is set afterwards on a dictionary (`_metadata` of a state dictionary) is left out.
    b() {
      this.pop();
      if (!(this.top() instanceof Map)) this.fail("it sets the inside of an object");
    },
    Q() {
      this.push(this.persistent(this.pop()));
    },
  } satisfies Record<string, Operation>).map(([letter, operation]) => [letter.charCodeAt(0), operation]),
);
