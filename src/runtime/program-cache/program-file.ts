/**
 * A compiled program as a file:
 *
 *     byte  0  "NETWRIGHT-PROGRAM" and the layout's version, padded to 24 bytes
 *          24  128 bits over everything after them (`checksum.ts`)
 *          40  lengths of the three parts, u32: key, facts, code
 *          52  key: what was compiled and for what, as UTF-8; a file is for equal keys alone
 *           …  facts: what running it needs to know, as JSON
 *           …  code: machine code that runs at any address
 *
 * Functions of one key have the same states, constants and nodes at the same numbers (`structure.ts`): the file names them
 * by those.
 */

import { bytesOf } from "../../base/dtype.ts";
import { maxElementCount } from "../../base/shape.ts";
import { Dimension, type Size } from "../../base/size.ts";
import type { ProgramCost } from "../../compiler/describe.ts";
import { functionDimensions, type GraphFunction } from "../../graph/function.ts";
import type { Origin } from "../../graph/origin.ts";
import type { FunctionStructure } from "../../graph/structure.ts";
import type { RunnableProgram } from "../runnable-program.ts";
import type { CheckedNode } from "../step-error.ts";
import type { NativeCode } from "../x64/executable.ts";
import { checksum } from "./checksum.ts";

const magic = "NETWRIGHT-PROGRAM 1";
const [sumAt, lengthsAt, partsAt] = [24, 40, 52];

/** A program, its code and its cost. */
export interface CompiledProgram {
  readonly program: RunnableProgram;
  readonly code: NativeCode;
  readonly cost: ProgramCost;
  /** The size of the last cache that the code was made for, where it matters. */
  readonly lastCacheBytes: number | undefined;
}

/** A check's node: where in the function it came from, and what its message says. */
interface CheckFacts {
  readonly op: string;
  readonly rule: unknown;
  readonly shape: readonly number[] | undefined;
  /** A node of the function with the same origin; −1: none. */
  readonly origin: number;
}

interface Facts {
  readonly arenaBytes: number;
  readonly states: readonly number[];
  readonly arrays: readonly number[];
  readonly checks: readonly CheckFacts[];
  readonly cost: ProgramCost;
  readonly lastCacheBytes: number | undefined;
  readonly code: Omit<NativeCode, "bytes">;
}

/** undefined: it holds something that the function does not. */
export function encodeProgram(
  key: Uint8Array,
  { program, code, cost, lastCacheBytes }: CompiledProgram,
  structure: FunctionStructure,
): Uint8Array | undefined {
  const { bytes, ...codeFacts } = code;
  const facts: Facts = {
    arenaBytes: program.arenaBytes,
    states: program.states.map((state) => structure.states.indexOf(state)),
    arrays: program.arrays.map(({ array }) => structure.arrays.indexOf(array)),
    checks: program.checks.map(({ node }) => checkFacts(node, structure)),
    cost,
    lastCacheBytes,
    code: codeFacts,
  };
  if (facts.states.includes(-1) || facts.arrays.includes(-1)) return undefined;
  return assemble([key, new TextEncoder().encode(JSON.stringify(facts)), bytes]);
}

function assemble(parts: readonly Uint8Array[]): Uint8Array {
  const file = new Uint8Array(parts.reduce((end, part) => end + part.length, partsAt));
  const view = new DataView(file.buffer);
  new TextEncoder().encodeInto(magic, file);
  let end = partsAt;
  parts.forEach((part, i) => {
    view.setUint32(lengthsAt + 4 * i, part.length, true);
    file.set(part, end);
    end += part.length;
  });
  checksum(file.subarray(lengthsAt)).forEach((word, i) => {
    view.setUint32(sumAt + 4 * i, word, true);
  });
  return file;
}

function checkFacts(
  { op, attributes, shape, origin }: CheckedNode,
  { nodes }: FunctionStructure,
): CheckFacts {
  return {
    op: op.name,
    rule: (attributes as { rule?: unknown }).rule,
    shape: shape.every((size) => typeof size === "number") ? (shape as number[]) : undefined,
    origin: nodes.findIndex((node) => node.origin === origin),
  };
}

/** undefined: the file is damaged, of another version, or for another key. */
export function decodeProgram(
  file: Uint8Array<ArrayBuffer>,
  key: Uint8Array,
  fn: GraphFunction,
  structure: FunctionStructure,
): CompiledProgram | undefined {
  const parts = partsOf(file);
  if (parts === undefined || !sameBytes(parts[0], key)) return undefined;
  const { code, arenaBytes, cost, lastCacheBytes, ...facts } = JSON.parse(
    new TextDecoder().decode(parts[1]),
  ) as Facts;
  const typed = ({ shape, dtype }: GraphFunction["parameters"][number]) => {
    const elements = maxElementCount(shape);
    return { shape, dtype, elements, bytes: elements * bytesOf(dtype) };
  };
  const program: RunnableProgram = {
    name: fn.name,
    dimensions: functionDimensions(fn),
    inputs: fn.parameters.map(typed),
    states: facts.states.map((i) => structure.states[i]!),
    arrays: facts.arrays.map((i) => ({ array: structure.arrays[i]! })),
    results: fn.results.map((node) => ({ ...node, buffer: typed(node) })),
    checks: facts.checks.map((check) => ({ node: checkedNode(check, structure) })),
    arenaBytes,
  };
  return { program, cost, lastCacheBytes, code: { ...code, bytes: parts[2] } };
}

/** Positions in a shape that is not known are flat. */
const unknownShape: readonly Size[] = [new Dimension("elements", { max: 1 })];
const noOrigin: Origin = { trace: undefined, modulePath: "" };

const checkedNode = ({ op, rule, shape, origin }: CheckFacts, { nodes }: FunctionStructure): CheckedNode => ({
  op: { name: op },
  attributes: { rule },
  shape: shape ?? unknownShape,
  origin: nodes[origin]?.origin ?? noOrigin,
});

function partsOf(file: Uint8Array<ArrayBuffer>): [Uint8Array, Uint8Array, Uint8Array] | undefined {
  if (file.length < partsAt) return undefined;
  const head = new TextDecoder().decode(file.subarray(0, sumAt)).replace(/\0+$/, "");
  const view = new DataView(file.buffer, file.byteOffset);
  const sum = checksum(file.subarray(lengthsAt));
  if (head !== magic || !sum.every((word, i) => view.getUint32(sumAt + 4 * i, true) === word))
    return undefined;
  const [key, facts, code] = [0, 1, 2].map((i) => view.getUint32(lengthsAt + 4 * i, true)) as [
    number,
    number,
    number,
  ];
  if (partsAt + key + facts + code !== file.length) return undefined;
  const factsAt = partsAt + key;
  return [
    file.subarray(partsAt, factsAt),
    file.subarray(factsAt, factsAt + facts),
    file.subarray(factsAt + facts),
  ];
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
