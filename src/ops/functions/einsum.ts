/** Einstein's summation: products of arrays whose axes have letters, as permutations, batched matrix products and sums. */
import { ArgumentError, ShapeError } from "../../base/errors.ts";
import { shapeText } from "../../base/shape.ts";
import { productOf, type Size, sizesAgree } from "../../base/size.ts";
import type { Node } from "../../graph/node.ts";
import { reshape, sum } from "../broadcast.ts";
import { dot } from "../dot.ts";
import { permute } from "../permute.ts";
import { diagonal } from "./arrangement.ts";

/** An array and the letter of each of its axes. */
interface Lettered {
  readonly x: Node;
  readonly letters: readonly string[];
}

interface Equation {
  readonly inputs: readonly (readonly string[])[];
  readonly output: readonly string[];
}

/** `"ij,jk->ik"`; without an arrow the letters that occur once, in alphabetical order, are the output. */
function parse(equation: string, count: number): Equation {
  const text = equation.replaceAll(" ", "");
  if (!/^[a-zA-Z]*(,[a-zA-Z]*)*(->[a-zA-Z]*)?$/.test(text))
    throw new ArgumentError(`einsum: "${equation}" is no equation; write letters such as "bij,bjk->bik"`);
  const [left, right] = text.split("->") as [string, string?];
  const inputs = left.split(",").map((letters) => [...letters]);
  if (inputs.length !== count)
    throw new ArgumentError(`einsum: "${equation}" names ${inputs.length} arrays, got ${count}`);
  const all = inputs.flat();
  const once = all.filter((letter) => all.indexOf(letter) === all.lastIndexOf(letter)).sort();
  const output = right === undefined ? once : [...right];
  const wrong = output.find((letter, i) => !all.includes(letter) || output.indexOf(letter) !== i);
  if (wrong !== undefined)
    throw new ArgumentError(
      `einsum: "${equation}": letter ${wrong} of the output must name one axis of the inputs`,
    );
  return { inputs, output };
}

function requireSizes(equation: string, inputs: readonly Lettered[]): void {
  const sizes = new Map<string, Size>();
  for (const { x, letters } of inputs) {
    if (letters.length !== x.shape.length)
      throw new ShapeError(
        `einsum: "${letters.join("")}" of "${equation}" has ${letters.length} letters, its array shape ${shapeText(x.shape)}`,
      );
    letters.forEach((letter, axis) => {
      const [known, size] = [sizes.get(letter), x.shape[axis]!];
      if (known !== undefined && !sizesAgree(known, size))
        throw new ShapeError(
          `einsum: "${equation}": letter ${letter} is ${known} and ${size}; its sizes must be equal`,
        );
      sizes.set(letter, size);
    });
  }
}

/** A letter that names two axes of one array means its diagonal. */
function withoutRepeats({ x, letters }: Lettered): Lettered {
  const second = letters.findIndex((letter, axis) => letters.indexOf(letter) !== axis);
  if (second < 0) return { x, letters };
  const first = letters.indexOf(letters[second]!);
  const rest = letters.filter((_, axis) => axis !== first && axis !== second);
  return withoutRepeats({ x: diagonal(x, 0, first, second), letters: [...rest, letters[second]!] });
}

/** Summed over the letters that nobody else needs. */
function summed({ x, letters }: Lettered, needed: ReadonlySet<string>): Lettered {
  const axes = letters.flatMap((letter, axis) => (needed.has(letter) ? [] : [axis]));
  return { x: sum(x, axes), letters: letters.filter((letter) => needed.has(letter)) };
}

const ordered = ({ x, letters }: Lettered, order: readonly string[]): Node =>
  permute(
    x,
    order.map((letter) => letters.indexOf(letter)),
  );

/** Two arrays as one batched matrix product: (batch, own of a, shared) × (batch, shared, own of b). */
function contract(a: Lettered, b: Lettered, kept: ReadonlySet<string>): Lettered {
  const common = a.letters.filter((letter) => b.letters.includes(letter));
  const batch = common.filter((letter) => kept.has(letter));
  const shared = common.filter((letter) => !kept.has(letter));
  const left = a.letters.filter((letter) => !common.includes(letter));
  const right = b.letters.filter((letter) => !common.includes(letter));
  const sizeOf = (letter: string): Size =>
    a.letters.includes(letter)
      ? a.x.shape[a.letters.indexOf(letter)]!
      : b.x.shape[b.letters.indexOf(letter)]!;
  const sizes = (letters: readonly string[]): Size[] => letters.map(sizeOf);
  const [B, M, K, N] = [batch, left, shared, right].map((letters) => productOf(sizes(letters))) as [
    Size,
    Size,
    Size,
    Size,
  ];
  const first = reshape(ordered(a, [...batch, ...left, ...shared]), [B, M, K]);
  const second = reshape(ordered(b, [...batch, ...shared, ...right]), [B, K, N]);
  const letters = [...batch, ...left, ...right];
  return { x: reshape(dot(first, second), sizes(letters)), letters };
}

/**
 * Σ over the letters missing in the output of the product of the inputs (of one dtype), contracted from left to right. A
 * letter twice in one input takes its diagonal.
 *
 * @throws ShapeError when a letter has two sizes
 * @example einsum("ij,kj->ik", [x, x]) // x times its transpose
 */
export function einsum(equation: string, inputs: readonly Node[]): Node {
  const { inputs: letters, output } = parse(equation, inputs.length);
  const given = inputs.map((x, i): Lettered => ({ x, letters: letters[i]! }));
  requireSizes(equation, given);
  const terms = given.map(withoutRepeats);
  /** The letters of the output and of the terms from `from` on. */
  const later = (from: number): Set<string> =>
    new Set([...output, ...terms.slice(from).flatMap((term) => term.letters)]);
  let result = summed(terms[0]!, later(1));
  for (let i = 1; i < terms.length; i++) {
    const kept = later(i + 1);
    const next = summed(terms[i]!, new Set([...kept, ...result.letters]));
    result = contract(summed(result, new Set([...kept, ...next.letters])), next, kept);
  }
  return ordered(summed(result, new Set(output)), output);
}
