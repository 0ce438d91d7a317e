/** What an ONNX file says, as plain data: a graph of named nodes. https://onnx.ai/onnx/repo-docs/IR.html */
import type { DType } from "../../base/dtype.ts";
import type { HostArray } from "../../base/host-array.ts";

export interface OnnxModel {
  readonly irVersion: number;
  readonly producer: string;
  /** The version of each set of operators; "" is ONNX's own. */
  readonly opsets: ReadonlyMap<string, number>;
  readonly metadata: ReadonlyMap<string, string>;
  readonly graph: OnnxGraph;
  /** Operators that the file itself defines. */
  readonly functions?: readonly OnnxFunction[];
}

/** An operator as a graph of others: what a node of that domain and name stands for. */
export interface OnnxFunction {
  readonly domain: string;
  readonly name: string;
  /** Which of several of that name; "" where there is one. */
  readonly overload: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Names of attributes that a node has to give, and values of those that it may leave out. */
  readonly attributes: readonly string[];
  readonly defaults: ReadonlyMap<string, OnnxAttribute>;
  readonly nodes: readonly OnnxNode[];
  readonly opsets: ReadonlyMap<string, number>;
}

/** An array; `isInt64` says that the file has 64-bit integers, which ONNX wants of shapes, axes and counts. */
export type OnnxArray = HostArray & { readonly isInt64?: boolean };

export interface OnnxGraph {
  readonly name: string;
  /** In an order in which each stands behind what it reads. */
  readonly nodes: readonly OnnxNode[];
  readonly initializers: ReadonlyMap<string, OnnxArray>;
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
}

export interface OnnxNode {
  readonly op: string;
  /** "" for ONNX's own. */
  readonly domain: string;
  readonly name: string;
  /** Which of a file's functions of that name; left out where there is one. */
  readonly overload?: string;
  /** Names of values; "" where an optional one is left out. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: ReadonlyMap<string, OnnxAttribute>;
}

export type OnnxAttribute =
  | { readonly kind: "float" | "integer"; readonly value: number }
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "floats" | "integers"; readonly value: readonly number[] }
  | { readonly kind: "strings"; readonly value: readonly string[] }
  | { readonly kind: "tensor"; readonly value: OnnxArray }
  | { readonly kind: "graph"; readonly value: OnnxGraph }
  // In a function: what the node that stands for it has under this name, `type` being ONNX's number of its kind.
  | { readonly kind: "reference"; readonly value: string; readonly type: number };

/** An input or output: its element type, and its sizes, of which some may be names. */
export interface OnnxValue {
  readonly name: string;
  /** ONNX's number of the element type. */
  readonly elementType: number;
  /** undefined: not even the number of axes is said. */
  readonly shape: readonly (number | string)[] | undefined;
}

interface ElementType {
  readonly name: string;
  /** How it is held here; undefined: it is not read. */
  readonly dtype: DType | undefined;
  readonly bytes: number;
}

/** By number. 64-bit integers become i32, and 16-bit ones, too. */
export const elementTypes: ReadonlyMap<number, ElementType> = new Map([
  [1, { name: "float", dtype: "f32", bytes: 4 }],
  [2, { name: "uint8", dtype: "u8", bytes: 1 }],
  [3, { name: "int8", dtype: "i8", bytes: 1 }],
  [4, { name: "uint16", dtype: "i32", bytes: 2 }],
  [5, { name: "int16", dtype: "i32", bytes: 2 }],
  [6, { name: "int32", dtype: "i32", bytes: 4 }],
  [7, { name: "int64", dtype: "i32", bytes: 8 }],
  [8, { name: "string", dtype: undefined, bytes: 0 }],
  [9, { name: "bool", dtype: "bool", bytes: 1 }],
  [10, { name: "float16", dtype: "f16", bytes: 2 }],
  [11, { name: "double", dtype: "f64", bytes: 8 }],
  [12, { name: "uint32", dtype: "u32", bytes: 4 }],
  [13, { name: "uint64", dtype: "i32", bytes: 8 }],
  [16, { name: "bfloat16", dtype: "bf16", bytes: 2 }],
] as const);

/** The element type of each dtype. */
export const elementTypeOf = {
  f32: 1,
  u8: 2,
  i8: 3,
  i32: 6,
  bool: 9,
  f16: 10,
  f64: 11,
  u32: 12,
  bf16: 16,
} as const satisfies Record<DType, number>;
