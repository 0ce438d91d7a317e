/**
 * Arguments and results of traced functions as trees: tensors at known places in arrays and records, everything else a
 * constant. A template is such a tree with types in the tensors' places.
 */
import type { DType } from "../base/dtype.ts";
import { ArgumentError, ShapeError } from "../base/errors.ts";
import type { HostArray } from "../base/host-array.ts";
import { type Shape, sameShape, shapeText } from "../base/shape.ts";
import { Dimension, type Size } from "../base/size.ts";
import { describe, hostArray, isHostArray } from "./convert.ts";
import { type Handle, handleOf, isTensor } from "./handle.ts";
import type { NestedArray } from "./types.ts";

export type Template =
  | { readonly kind: "tensor"; readonly shape: Shape; readonly dtype: DType; readonly path: string }
  | { readonly kind: "array"; readonly items: readonly Template[]; readonly path: string }
  | {
      readonly kind: "record";
      readonly keys: readonly string[];
      readonly items: readonly Template[];
      readonly path: string;
    }
  | { readonly kind: "constant"; readonly value: unknown; readonly path: string };

/** What stands at a tensor's place in a call. */
export type Leaf = Handle | HostArray;

/** Sizes that the user declared for an argument: a shape, or a tree of shapes like the argument. */
export type ShapeOption =
  | readonly Size[]
  | readonly ShapeOption[]
  | { readonly [key: string]: ShapeOption }
  | undefined;

export const isRecord = (value: unknown): value is Record<string, unknown> => {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
};

/** An array of numbers, nested or not: a tensor rather than a list of constants. */
function isNumbers(value: readonly unknown[]): value is NestedArray {
  const [first] = value;
  if (Array.isArray(first)) return value.every((item) => Array.isArray(item) && isNumbers(item));
  return value.length > 0 && value.every((item) => typeof item === "number" || typeof item === "boolean");
}

/** The leaf that a value is, if it stands for a tensor. A state stands for itself, in every call the same. */
function leafOf(value: unknown): Leaf | undefined {
  if (isTensor(value)) {
    const handle = handleOf(value);
    return "state" in handle ? undefined : handle;
  }
  if (ArrayBuffer.isView(value) || (Array.isArray(value) && isNumbers(value))) return hostArray(value);
  return isHostArray(value) ? value : undefined;
}

const typeOf = (leaf: Leaf): { readonly shape: Shape; readonly dtype: DType } =>
  "data" in leaf ? leaf : leaf.type;

/** The template of a value, with declared sizes in the place of its own. */
export function templateOf(value: unknown, path: string, shapes?: ShapeOption): Template {
  const leaf = leafOf(value);
  if (leaf !== undefined) {
    const { shape, dtype } = typeOf(leaf);
    return { kind: "tensor", shape: declaredShape(shape, shapes, path), dtype, path };
  }
  if (Array.isArray(value)) {
    const items = value.map((item, i) => templateOf(item, `${path}[${i}]`, childOf(shapes, i)));
    return { kind: "array", items, path };
  }
  if (!isRecord(value)) return { kind: "constant", value, path };
  const keys = Object.keys(value);
  const items = keys.map((key) =>
    templateOf(value[key], path ? `${path}.${key}` : key, childOf(shapes, key)),
  );
  return { kind: "record", keys, items, path };
}

/** The template of a call's arguments, which are a list whatever they are. */
export function templateOfCall(args: readonly unknown[], shapes?: readonly ShapeOption[]): Template {
  const items = args.map((arg, i) => templateOf(arg, `argument ${i}`, shapes?.[i]));
  return { kind: "array", items, path: "arguments" };
}

const childOf = (shapes: ShapeOption, key: string | number): ShapeOption =>
  (shapes as { readonly [key: string | number]: ShapeOption } | undefined)?.[key];

function declaredShape(shape: Shape, declared: ShapeOption, path: string): Shape {
  if (declared === undefined) return shape;
  const isShape =
    Array.isArray(declared) && declared.every((s) => typeof s === "number" || s instanceof Dimension);
  if (!isShape) {
    throw new ArgumentError(
      `compile: the option shapes has no shape for ${path}: give a list of integers and dimensions such as [batch, 784]`,
    );
  }
  return declared as Shape;
}

/** Values of dimensions in one call. */
export type Bindings = Map<Dimension, number>;

/**
 * Whether `value` fits; leaves are written to `leaves` from `leaves.length` on, dimensions to `bindings`.
 *
 * @throws ShapeError when only a dimension's bounds, or two values of one dimension, stand in the way
 */
export function matches(template: Template, value: unknown, leaves: Leaf[], bindings: Bindings): boolean {
  switch (template.kind) {
    case "tensor":
      return matchesTensor(template, value, leaves, bindings);
    case "constant":
      return Object.is(template.value, value);
    case "array": {
      if (!Array.isArray(value) || value.length !== template.items.length) return false;
      for (let i = 0; i < value.length; i++)
        if (!matches(template.items[i]!, value[i], leaves, bindings)) return false;
      return true;
    }
    case "record": {
      if (!isRecord(value)) return false;
      const { keys, items } = template;
      for (let i = 0; i < keys.length; i++) {
        if (!(keys[i]! in value) || !matches(items[i]!, value[keys[i]!], leaves, bindings)) return false;
      }
      return Object.keys(value).length === keys.length;
    }
  }
}

function matchesTensor(
  template: Template & { kind: "tensor" },
  value: unknown,
  leaves: Leaf[],
  bindings: Bindings,
): boolean {
  const leaf = leafOf(value);
  if (leaf === undefined) return false;
  const { shape, dtype } = typeOf(leaf);
  const wanted = template.shape;
  if (dtype !== template.dtype || shape.length !== wanted.length) return false;
  for (let axis = 0; axis < wanted.length; axis++) {
    const size = wanted[axis]!;
    if (size === shape[axis]) continue;
    if (!(size instanceof Dimension)) return false;
    bind(size, shape[axis] as number, bindings, template, shape);
  }
  leaves.push(leaf);
  return true;
}

function bind(size: Dimension, value: number, bindings: Bindings, { path }: Template, shape: Shape): void {
  const known = bindings.get(size);
  if (known === value) return;
  const where = `${path} has shape ${shapeText(shape)}`;
  if (known !== undefined)
    throw new ShapeError(`${where}: "${size.name}" is ${known} in an argument before, and ${value} here`);
  if (value < size.min || value > size.max) {
    const bounds = `between ${size.min} and ${size.max}`;
    throw new ShapeError(
      `${where}: "${size.name}" must be ${bounds}, got ${value}; give the dimension wider bounds`,
    );
  }
  bindings.set(size, value);
}

/** A value of the template's form, with `leaf` asked for each tensor in order. */
export function build(
  template: Template,
  leaf: (template: Template & { kind: "tensor" }) => unknown,
): unknown {
  switch (template.kind) {
    case "tensor":
      return leaf(template);
    case "constant":
      return template.value;
    case "array":
      return template.items.map((item) => build(item, leaf));
    case "record":
      return Object.fromEntries(template.keys.map((key, i) => [key, build(template.items[i]!, leaf)]));
  }
}

/** The first place where two templates differ, in words; undefined when they do not. */
export function difference(a: Template, b: Template): string | undefined {
  const texts = `${templateText(a)}, then ${templateText(b)}`;
  if (a.kind !== b.kind) return `${b.path}: ${texts}`;
  if (a.kind === "constant" && b.kind === "constant")
    return Object.is(a.value, b.value) ? undefined : `${b.path}: ${texts}`;
  if (a.kind === "tensor" && b.kind === "tensor")
    return a.dtype === b.dtype && sameShape(a.shape, b.shape) ? undefined : `${b.path}: ${texts}`;
  const [x, y] = [a as Template & { items: Template[] }, b as Template & { items: Template[] }];
  if (x.items.length !== y.items.length) return `${b.path}: ${texts}`;
  for (let i = 0; i < x.items.length; i++) {
    const found = difference(x.items[i]!, y.items[i]!);
    if (found !== undefined) return found;
  }
  return undefined;
}

function templateText(template: Template): string {
  switch (template.kind) {
    case "tensor":
      return `${template.dtype} ${shapeText(template.shape)}`;
    case "constant":
      return typeof template.value === "number" ? `the number ${template.value}` : describe(template.value);
    default:
      return `${template.kind === "array" ? "an array" : "a record"} of ${template.items.length}`;
  }
}
