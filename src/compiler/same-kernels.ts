/**
 * Kernels that do the same to whatever buffers they are given become one: the layers of a model repeat, so most kernels do.
 * One is verified, emitted and kept in memory; each call gives it its own buffers.
 */
import { Dimension, SizeExpression, sizeKey } from "../base/size.ts";
import type { Kernel } from "../ir/kernel.ts";

export class SameKernels {
  /** By what is quickly told of a kernel: only where that is equal structures are written out. */
  private readonly families = new Map<string, Family>();
  /** The first of its kind, of kernels met before. */
  private readonly firsts = new Map<Kernel, Kernel>();

  /** The first kernel given that differs from this one in names only. */
  of(kernel: Kernel): Kernel {
    const met = this.firsts.get(kernel);
    if (met !== undefined) return met;
    const first = this.firstLike(kernel);
    this.firsts.set(kernel, first);
    return first;
  }

  private firstLike(kernel: Kernel): Kernel {
    const outline = outlineOf(kernel);
    const family = this.families.get(outline);
    if (family === undefined) {
      this.families.set(outline, { first: kernel, byStructure: new Map() });
      return kernel;
    }
    const { first: oldest, byStructure } = family;
    if (byStructure.size === 0) byStructure.set(structureOf(oldest), oldest);
    const structure = structureOf(kernel);
    const first = byStructure.get(structure) ?? kernel;
    byStructure.set(structure, first);
    return first;
  }
}

/** Kernels of one outline. */
interface Family {
  /** The first. */
  readonly first: Kernel;
  /** Empty while there is only one. */
  readonly byStructure: Map<string, Kernel>;
}

/** Equal for kernels that are the same. */
function outlineOf({ buffers, parameters, body, cost }: Kernel): string {
  const parts = buffers.map(({ dtype, elements, access }) => `${dtype}${sizeKey(elements)}${access}`);
  return `${parts} ${parameters.length} ${body.length} ${cost.flop} ${cost.bytes}`;
}

function structureOf({ buffers, parameters, body }: Kernel): string {
  const text = new StructureText();
  text.write(buffers);
  text.write(parameters);
  text.write(body);
  return text.parts.join("");
}

/** Objects and arrays as text without their names: an object met before is its number, so identity is part of the structure. */
class StructureText {
  readonly parts: string[] = [];
  private readonly numbers = new Map<object, number>();

  write(value: unknown): void {
    if (typeof value !== "object" || value === null) this.parts.push(primitiveText(value));
    else if (value instanceof Dimension || value instanceof SizeExpression)
      this.parts.push(sizeKey(value), ";");
    else if (Array.isArray(value)) {
      this.parts.push("[");
      for (const item of value) this.write(item);
      this.parts.push("]");
    } else this.writeObject(value);
  }

  private writeObject(value: object): void {
    const number = this.numbers.get(value);
    if (number !== undefined) {
      this.parts.push(`#${number};`);
      return;
    }
    this.numbers.set(value, this.numbers.size);
    this.parts.push("{");
    for (const key in value) {
      if (key === "name") continue;
      this.parts.push(key, ":");
      this.write(value[key as keyof typeof value]);
    }
    this.parts.push("}");
  }
}

/** −0 is not 0; everything else is told apart by its text and type. */
const primitiveText = (value: unknown): string =>
  typeof value === "number" ? `${Object.is(value, -0) ? "-0" : value};` : `${typeof value}"${value}";`;
