/**
 * Kernels and programs as readable text: what debug dumps show, what tests compare, what the verifier quotes.
 *
 *     kernel "scale 8": write y: f32[8], read x: f32[8]
 *       vector i < 8:
 *         v0 = x[i]
 *         v1 = mul(v0, 2)
 *         y[i] = v1
 */
import type { Size } from "../base/size.ts";
import type {
  Affine,
  DynamicTerm,
  Index,
  Kernel,
  KernelBuffer,
  Loop,
  Register,
  Statement,
  Value,
} from "./kernel.ts";
import type { Program, ProgramBuffer, ProgramStep } from "./program.ts";

/** Names of one kernel: values are numbered in the order of their definition, equal index names told apart. */
export class KernelNames {
  private readonly values = new Map<Value, string>();
  private readonly indices = new Map<Index, string>();
  private readonly registers = new Map<Register, string>();
  private readonly buffers = new Map<KernelBuffer, string>();
  private readonly taken = new Set<string>();

  constructor(kernel: Kernel) {
    for (const buffer of kernel.buffers) this.buffer(buffer);
    for (const { index } of kernel.parameters) this.index(index);
    this.number(kernel.body);
  }

  value(value: Value): string {
    if (value.kind === "constant") return numberText(value.value);
    return this.values.get(value) ?? "(a value never defined)";
  }
  index(index: Index): string {
    return this.unique(this.indices, index);
  }
  register(register: Register): string {
    return this.unique(this.registers, register);
  }
  buffer(buffer: KernelBuffer): string {
    return this.unique(this.buffers, buffer);
  }

  private number(statements: readonly Statement[]): void {
    for (const statement of statements) {
      if (statement.kind === "loop") {
        this.index(statement.index);
        this.number(statement.body);
        this.number(statement.remainder);
      } else if (statement.kind === "define" && statement.value.kind !== "constant") {
        if (!this.values.has(statement.value)) this.values.set(statement.value, `v${this.values.size}`);
      }
    }
  }

  private unique<T extends { readonly name: string }>(names: Map<T, string>, named: T): string {
    let name = names.get(named);
    if (name !== undefined) return name;
    name = named.name;
    for (let again = 2; this.taken.has(name); again++) name = `${named.name}.${again}`;
    this.taken.add(name);
    names.set(named, name);
    return name;
  }
}

/** A kernel as text: its buffers, parameters, registers and body. */
export function printKernel(kernel: Kernel): string {
  const names = new KernelNames(kernel);
  const lines = [`kernel "${kernel.name}": ${kernel.buffers.map((b) => bufferText(b, names)).join(", ")}`];
  for (const { index, extent } of kernel.parameters)
    lines.push(`  parameter ${names.index(index)} < ${extent}`);
  for (const register of registersOf(kernel.body)) lines.push(`  ${registerText(register, names)}`);
  for (const statement of kernel.body) lines.push(...statementLines(statement, names, "  "));
  return lines.join("\n");
}

/** One statement on one line (a loop by its head). */
export function printStatement(statement: Statement, names: KernelNames): string {
  switch (statement.kind) {
    case "define":
      return `${names.value(statement.value)} = ${valueText(statement.value, names)}`;
    case "store":
      return `${placeText(statement, names)} = ${names.value(statement.value)}`;
    case "set":
      return `${elementText(statement, names)} = ${names.value(statement.value)}`;
    case "prefetch":
      return `prefetch ${placeText({ ...statement, dynamic: [] }, names)}`;
    case "loop":
      return loopHead(statement, names);
  }
}

/** A program as text: its buffers, steps, and each distinct kernel once. */
export function printProgram(program: Program): string {
  const kernels = new Map<Kernel, number>();
  const steps = (title: string, list: readonly ProgramStep[]): string[] =>
    list.length === 0 ? [] : [`  ${title}:`, ...list.flatMap((step) => stepLines(step, kernels, "    "))];
  const head = `program "${program.name}": arena ${program.arenaBytes} bytes, ${program.threads} thread(s)`;
  const lines = [head];
  for (const { name, min, max } of program.dimensions) lines.push(`  dimension ${name} in ${min} … ${max}`);
  lines.push(
    ...steps("compute", program.compute),
    ...steps("commit", program.commit),
    ...steps("undo", program.undo),
  );
  for (const { buffer } of program.results) lines.push(`  result ${programBufferText(buffer)}`);
  for (const [kernel, id] of kernels) lines.push("", `#${id} ${printKernel(kernel)}`);
  return lines.join("\n");
}

/** `64·k + j + 3`, with the kernel's names of its indices. */
export function printAffine({ constant, terms }: Affine, names: KernelNames): string {
  const parts = terms.map(({ index, stride }) =>
    stride === 1 ? names.index(index) : `${factorText(stride)}·${names.index(index)}`,
  );
  if (constant !== 0 || parts.length === 0) parts.push(String(constant));
  return parts.join(" + ");
}

function statementLines(statement: Statement, names: KernelNames, indent: string): string[] {
  const text = printStatement(statement, names);
  if (statement.kind === "define" && statement.value.kind === "constant") return [];
  if (statement.kind !== "loop") return [indent + text];
  const inside = (list: readonly Statement[]) => list.flatMap((s) => statementLines(s, names, `${indent}  `));
  const lines = [`${indent}${text}:`, ...inside(statement.body)];
  if (statement.remainder.length > 0) lines.push(`${indent}remainder:`, ...inside(statement.remainder));
  return lines;
}

function loopHead({ mode, index, extent, step, lockstep }: Loop, names: KernelNames): string {
  const stepText = step === 1 ? "" : ` step ${step}`;
  return `${mode} ${names.index(index)} < ${extent}${stepText}${lockstep ? " lockstep" : ""}`;
}

function valueText(value: Value, names: KernelNames): string {
  const call = (name: string, ...operands: Value[]) =>
    `${name}(${operands.map((x) => names.value(x)).join(", ")})`;
  switch (value.kind) {
    case "constant":
      return `${value.dtype} ${numberText(value.value)}`;
    case "index":
      return `index(${printAffine(value.affine, names)})`;
    case "load":
      return placeText(value, names);
    case "unary":
      return call(value.operator, value.x);
    case "binary":
    case "compare":
      return call(value.operator, value.a, value.b);
    case "mulAdd":
      return call("mulAdd", value.a, value.b, value.c);
    case "dotAdd":
      return call(`dotAdd ${value.parts}`, value.a, value.b, value.c);
    case "bytePairs":
      return call(`${value.which} bytes${value.isSigned ? "" : " unsigned"}`, value.x);
    case "select":
      return call("select", value.condition, value.a, value.b);
    case "convert":
    case "bitcast":
      return call(`${value.kind} ${value.dtype}`, value.x);
    case "checkIndex":
      return `${call("checkIndex", value.x)} < ${value.size} ${siteText(value, names)}`;
    case "check":
      return `${call("check", value.condition, value.x)} ${siteText(value, names)}`;
    case "register":
      return elementText(value, names);
    case "combine":
      return `combine ${value.operator} ${elementText(value, names)}`;
  }
}

const siteText = (site: { check: number; position: Affine }, names: KernelNames): string =>
  `else check ${site.check} at ${printAffine(site.position, names)}`;

function placeText(
  place: { buffer: KernelBuffer; address: Affine; dynamic: readonly DynamicTerm[] },
  names: KernelNames,
): string {
  const parts = place.dynamic.map(({ index, stride }) => `${factorText(stride)}·${names.value(index)}`);
  const { address } = place;
  const isZero = address.constant === 0 && address.terms.length === 0;
  if (!isZero || parts.length === 0) parts.push(printAffine(address, names));
  return `${names.buffer(place.buffer)}[${parts.join(" + ")}]`;
}

function elementText(element: { register: Register; subscript: Affine }, names: KernelNames): string {
  const name = names.register(element.register);
  return element.register.count === 1 ? name : `${name}[${printAffine(element.subscript, names)}]`;
}

const bufferText = (b: KernelBuffer, names: KernelNames): string =>
  `${b.access} ${names.buffer(b)}: ${b.dtype}[${b.elements}]${b.scope === "thread" ? " per thread" : ""}`;

const registerText = (r: Register, names: KernelNames): string =>
  `register ${names.register(r)}: ${r.dtype}${r.count > 1 ? `[${r.count}]` : ""}${r.lanes > 1 ? ` × ${r.lanes} lanes` : ""}`;

const factorText = (size: Size): string => (String(size).includes(" ") ? `(${size})` : `${size}`);
const numberText = (x: number): string => (Object.is(x, -0) ? "-0" : `${x}`);

/** Every register a list of statements touches, in order of appearance. */
export function registersOf(statements: readonly Statement[]): ReadonlySet<Register> {
  const found = new Set<Register>();
  const visit = (list: readonly Statement[]): void => {
    for (const s of list) {
      if (s.kind === "loop") {
        visit(s.body);
        visit(s.remainder);
      } else if (s.kind === "set") found.add(s.register);
      else if (s.kind === "define" && "register" in s.value) found.add(s.value.register);
    }
  };
  visit(statements);
  return found;
}

function stepLines(step: ProgramStep, kernels: Map<Kernel, number>, indent: string): string[] {
  if (step.kind === "call") {
    if (!kernels.has(step.kernel)) kernels.set(step.kernel, kernels.size);
    const buffers = step.buffers.map(programBufferText).join(", ");
    return [`${indent}#${kernels.get(step.kernel)} ${step.kernel.name}(${buffers})`];
  }
  const head =
    step.kind === "loop"
      ? `${step.isParallel ? "parallel " : ""}loop ${step.index.name} < ${step.extent}${rangeText(step.range)}`
      : `while ${programBufferText(step.condition)}, ${step.index.name} < ${step.max}`;
  return [`${indent}${head}:`, ...step.body.flatMap((inner) => stepLines(inner, kernels, `${indent}  `))];
}

const rangeText = (range: ProgramBuffer | undefined): string =>
  range === undefined ? "" : ` in ${programBufferText(range)}`;

function programBufferText({ name, dtype, elements, scope, placement }: ProgramBuffer): string {
  const where =
    placement.kind === "arena"
      ? `arena+${placement.offset}`
      : placement.kind === "input" || placement.kind === "result"
        ? `${placement.kind} ${placement.position}`
        : placement.kind;
  return `${name}: ${dtype}[${elements}]${scope === "iteration" ? " per thread" : ""} @ ${where}`;
}
