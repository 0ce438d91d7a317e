import { describe, expect, it } from "vitest";
import { hashedUniform, readFixture } from "../../test/fixtures.ts";
import { fillUniform, randomKey } from "../base/random.ts";
import { compile, grad, type Tensor, tensor } from "../tensor/index.ts";
import * as fourier from "./index.ts";
import { type Complex, fft, fftfreq, ifft, irfft, rfft, rfftfreq } from "./index.ts";

const transforms: Readonly<Record<string, unknown>> = fourier;

type Nested = number | Nested[];
interface Parts {
  real: Nested;
  imaginary: Nested;
}
interface Case {
  name: string;
  options: object;
  input: Parts;
  output: Parts;
  gradient?: number[];
}
const { cases, weightsSeed } = readFixture<{ cases: Case[]; weightsSeed: number }>("fft.json");

const flat = (value: Nested): number[] => ([value] as unknown[]).flat(Number.POSITIVE_INFINITY) as number[];
const f64 = (value: Nested): Tensor => tensor(value as number[], { dtype: "f64" }) as Tensor;
const isReal = (value: Nested): boolean => flat(value).every((x) => x === 0);

async function expectNear(got: Tensor, want: Nested, tolerance = 1e-12): Promise<void> {
  const [values, expected] = [(await got.data()) as ArrayLike<number>, flat(want)];
  expect(values.length).toBe(expected.length);
  const largest = Math.max(1, ...expected.map(Math.abs));
  expected.forEach((value, i) => {
    expect(Math.abs(values[i]! - value) / largest, `${i}: ${values[i]}, not ${value}`).toBeLessThan(
      tolerance,
    );
  });
}

describe("NumPy's transforms", () => {
  const titled = cases.map((row, i) => ({ row, title: `${i} ${row.name} ${JSON.stringify(row.options)}` }));
  it.each(titled)("$title", async ({ row: { name, options, input, output, gradient } }) => {
    const x = f64(input.real);
    const given = isReal(input.imaginary) ? x : { real: x, imaginary: f64(input.imaginary) };
    const argument = name.includes("shift") ? undefined : options;
    const run = transforms[name] as (x: unknown, options?: object) => Complex | Tensor;
    const result = run(given, argument);
    const parts = "imaginary" in result ? result : { real: result, imaginary: undefined };
    await expectNear(parts.real, output.real);
    if (parts.imaginary) await expectNear(parts.imaginary, output.imaginary);
    if (gradient === undefined) return;
    const size = flat(output.real).length;
    const weights = Array.from(hashedUniform(weightsSeed, size, 1));
    const loss = parts.real
      .mul(f64(weights))
      .sum()
      .add(parts.imaginary!.mul(f64(weights.reverse())).sum());
    await expectNear(grad(loss as Tensor, x) as Tensor, gradient);
  });
});

const random = (seed: number, n: number): Tensor => {
  const out = new Float32Array(n);
  fillUniform(randomKey(seed), out, -1, 1);
  return tensor(Float64Array.from(out), { dtype: "f64" }) as unknown as Tensor;
};

describe("properties", () => {
  it.each([1, 7, 64, 65, 127, 257, 1000, 1009, 4096])(
    "n = %i: there and back, and the energy stays",
    async (n) => {
      const x = { real: random(n, n), imaginary: random(n + 1, n) };
      const there = compile((real: Tensor, imaginary: Tensor) => {
        const y = fft({ real, imaginary });
        const z = ifft(y);
        const energy = (c: Complex): Tensor =>
          c.real.square().sum().add(c.imaginary.square().sum()) as Tensor;
        return { z, before: energy({ real, imaginary }), after: energy(y) };
      });
      const { z, before, after } = there(x.real, x.imaginary);
      expect(Number(await z.real.sub(x.real).abs().max().item())).toBeLessThan(1e-13);
      expect(Number(await z.imaginary.sub(x.imaginary).abs().max().item())).toBeLessThan(1e-13);
      expect(Number(await after.item()) / (n * Number(await before.item()))).toBeCloseTo(1, 12);
      await expectNear(irfft(rfft(x.real), { n }), Array.from((await x.real.data()) as Float64Array), 1e-13);
    },
  );

  it("f32 is near f64", async () => {
    const x = random(3, 1000);
    const [single, double] = [fft(x.cast("f32")), fft(x)];
    expect(single.real.dtype).toBe("f32");
    const error = await single.real.cast("f64").sub(double.real).abs().max().item();
    expect(Number(error)).toBeLessThan(3e-5);
  });

  it("gradients of second order", async () => {
    const x = random(5, 6);
    const power = (t: Tensor): Tensor => {
      const { real, imaginary } = fft(t);
      return real.square().add(imaginary.square()).square().sum() as Tensor;
    };
    const first = grad(power(x), x) as Tensor;
    const second = (await grad(first.square().sum(), x).data()) as Float64Array;
    const base = (await x.data()) as Float64Array;
    const at = async (i: number, h: number): Promise<number> => {
      const moved = base.slice();
      moved[i]! += h;
      const y = tensor(moved, { dtype: "f64" }) as unknown as Tensor;
      return Number(await (grad(power(y), y) as Tensor).square().sum().item());
    };
    for (let i = 0; i < 6; i++) {
      const numeric = ((await at(i, 1e-6)) - (await at(i, -1e-6))) / 2e-6;
      expect(second[i]! / numeric).toBeCloseTo(1, 5);
    }
  });
});

describe("frequencies, and what is refused", () => {
  it("fftfreq and rfftfreq", async () => {
    expect(await fftfreq(5, 0.5).toArray()).toEqual([0, 0.4, 0.8, -0.8, -0.4].map(Math.fround));
    expect(await rfftfreq(5).toArray()).toEqual([0, 0.2, 0.4].map(Math.fround));
  });

  it.each<[string, () => unknown, string]>([
    [
      "parts that differ",
      () => fft({ real: [1, 2], imaginary: [1] }),
      "fft: the real part is (2,), the imaginary (1,); they must be equal",
    ],
    ["no length", () => fft([1], { n: 0 }), "fft: the length must be a positive integer, got 0"],
    [
      "a norm",
      () => fft([1], { norm: "unitary" as never }),
      'fft: norm "unitary" is unknown; use "backward", "ortho" or "forward"',
    ],
    ["an axis", () => fft([1], { axis: 1 }), "fft: axis 1 is out of range for rank 1"],
    ["frequencies of nothing", () => fftfreq(0), "fftfreq: the length must be a positive integer, got 0"],
  ])("%s", (_, ask, message) => {
    expect(ask).toThrow(message);
  });
});
