/** Random kernels: what verifies never leaves its buffers when evaluated, and one wrong number is noticed. */
import { describe, expect, it } from "vitest";
import { Dimension, evaluateSize, type Size, subtractSizes } from "../base/size.ts";
import { addAffine, constantAffine, scaleAffine } from "./affine.ts";
import { KernelBuilder } from "./builder.ts";
import { evaluateKernel } from "./evaluate.ts";
import type { Affine, Kernel, KernelBuffer, Loop, Statement } from "./kernel.ts";
import { verifyKernel } from "./verify.ts";

/** Random integers, the same each time (mulberry32). */
class Dice {
  private state: number;
  constructor(seed: number) {
    this.state = seed;
  }
  below(n: number): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.state ^ (this.state >>> 15), this.state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % n;
  }
  from<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }
}

interface Sample {
  readonly kernel: Kernel;
  readonly dimensions: readonly Dimension[];
}

/**
 * A nest of one to four loops. The output is dense in an order of its own; the input is read at random strides, and both
 * buffers are exactly as large as the loops reach, so that any larger number is a fault.
 */
function randomSample(dice: Dice, { late }: { late: boolean }): Sample {
  const dimensions = late ? [new Dimension("time", { min: 1, max: 1 + dice.below(7) })] : [];
  const depth = 1 + dice.below(4);
  const loops = Array.from({ length: depth }, (_, level) => {
    const isInner = level === depth - 1;
    const mode = isInner
      ? dice.from(["vector", "serial", "unrolled"] as const)
      : level === 0
        ? dice.from(["parallel", "serial"] as const)
        : dice.from(["serial", "unrolled"] as const);
    const isLate = late && mode !== "unrolled" && dice.below(2) === 0;
    const extent: Size = isLate ? dimensions[0]! : 1 + dice.below(9);
    const step = !late && mode === "serial" && dice.below(3) === 0 ? 1 + dice.below(4) : 1;
    return { mode, extent, step, stride: dice.below(7) - 3 };
  });
  const order = loops.map((_, level) => level).sort(() => dice.below(2) - 0.5);
  const outStrides = denseStrides(
    loops.map((l) => l.extent),
    order,
  );
  const high = loops.reduce<Size>((sum, l) => addReach(sum, l, (s) => s > 0), 0);
  const low = loops.reduce<Size>((sum, l) => addReach(sum, l, (s) => s < 0), 0);
  const offset = subtractSizes(0, low);
  const total = loops.reduce<Size>((n, l) => scaleAffine(constantAffine(n), l.extent).constant, 1);
  const input = buffer(
    "input",
    addAffine(constantAffine(subtractSizes(high, low)), constantAffine(1)).constant,
  );
  const output = buffer("output", total);
  const builder = new KernelBuilder();
  const nest = (level: number, from: Affine, to: Affine): void => {
    if (level === depth) {
      builder.store(output, to, builder.load(input, from));
      return;
    }
    const { mode, extent, step, stride } = loops[level]!;
    const inside = (index: Affine): void =>
      nest(
        level + 1,
        addAffine(from, scaleAffine(index, stride)),
        addAffine(to, scaleAffine(index, outStrides[level]!)),
      );
    builder.loop(mode, `i${level}`, extent, {
      step,
      body: (index) =>
        step === 1
          ? inside(index)
          : builder.serial(`s${level}`, step, (sub) => inside(addAffine(index, sub))),
      ...(step > 1 && { remainder: inside }),
    });
  };
  nest(0, constantAffine(offset), constantAffine(0));
  const kernel: Kernel = {
    name: "random",
    buffers: [input, output],
    parameters: [],
    body: builder.statements,
    cost: { flop: 0, bytes: 0 },
  };
  return { kernel, dimensions };
}

const buffer = (name: string, elements: Size): KernelBuffer => ({
  name,
  dtype: "f32",
  elements,
  access: "readwrite",
  scope: "program",
});

function addReach(sum: Size, l: { extent: Size; stride: number }, when: (s: number) => boolean): Size {
  if (!when(l.stride)) return sum;
  const last = constantAffine(subtractSizes(l.extent, 1));
  return addAffine(constantAffine(sum), scaleAffine(last, l.stride)).constant;
}

function denseStrides(extents: readonly Size[], order: readonly number[]): Size[] {
  const strides: Size[] = [];
  let stride: Size = 1;
  for (const level of order) {
    strides[level] = stride;
    stride = scaleAffine(constantAffine(stride), extents[level]!).constant;
  }
  return strides;
}

/** The kernel with one extent, stride or constant made one larger. */
function mutate(kernel: Kernel, dice: Dice): Kernel {
  let left = dice.below(countPlaces(kernel.body));
  const hit = (): boolean => left-- === 0;
  const affine = (a: Affine): Affine => {
    const terms = a.terms.map((t) => (hit() ? { ...t, stride: (t.stride as number) + 1 } : t));
    return { constant: (a.constant as number) + (hit() ? 1 : 0), terms };
  };
  const visit = (s: Statement): Statement => {
    if (s.kind === "loop") {
      const extent = hit() ? (s.extent as number) + 1 : s.extent;
      return { ...s, extent, body: block(s.body), remainder: block(s.remainder) } satisfies Loop;
    }
    if (s.kind === "store")
      return { ...s, address: affine(s.address), value: changed.get(s.value) ?? s.value };
    if (s.kind === "define" && s.value.kind === "load") {
      const value = { ...s.value, address: affine(s.value.address) };
      changed.set(s.value, value);
      return { ...s, value };
    }
    return s;
  };
  const changed = new Map<object, Extract<Statement, { kind: "define" }>["value"]>();
  const block = (list: readonly Statement[]) => list.map(visit);
  return { ...kernel, body: block(kernel.body) };
}

const countPlaces = (list: readonly Statement[]): number =>
  list.reduce((n, s) => {
    if (s.kind === "loop") return n + 1 + countPlaces(s.body) + countPlaces(s.remainder);
    if (s.kind === "store") return n + 1 + s.address.terms.length;
    return n + (s.kind === "define" && s.value.kind === "load" ? 1 + s.value.address.terms.length : 0);
  }, 0);

function verifies(kernel: Kernel): boolean {
  try {
    verifyKernel(kernel);
    return true;
  } catch (error) {
    expect((error as Error).name, String(error)).toBe("InternalError");
    return false;
  }
}

function staysInside({ kernel, dimensions }: Sample, value = 1): boolean {
  const values = new Map(dimensions.map((d) => [d, Math.min(value, d.max)]));
  const buffers = kernel.buffers.map((b) => new Float32Array(evaluateSize(b.elements, values)));
  try {
    evaluateKernel(kernel, { buffers, dimensions: values });
    return true;
  } catch {
    return false;
  }
}

describe("verifyKernel on random kernels", () => {
  it("accepts every kernel whose buffers are exactly as large as it reaches", () => {
    const dice = new Dice(1);
    for (let i = 0; i < 500; i++) {
      const sample = randomSample(dice, { late: i % 2 === 0 });
      verifyKernel(sample.kernel);
      const [time] = sample.dimensions;
      for (let value = 1; value <= (time?.max ?? 1); value++) expect(staysInside(sample, value)).toBe(true);
    }
  });

  it("rejects each mutation that leaves the buffers", () => {
    const dice = new Dice(2);
    let escaped = 0;
    for (let i = 0; i < 2000; i++) {
      const { kernel } = randomSample(dice, { late: false });
      const wrong = { kernel: mutate(kernel, dice), dimensions: [] };
      if (staysInside(wrong)) continue;
      escaped++;
      expect(verifies(wrong.kernel), `mutation ${i}`).toBe(false);
    }
    expect(escaped).toBeGreaterThan(1000);
  });
});
