import { describe, expect, it } from "vitest";
import { hashedUniform, readFixture } from "../../test/fixtures.ts";
import { fillUniform, randomKey } from "../base/random.ts";
import { compile, grad, type Tensor, tensor } from "../tensor/index.ts";
import {
  cholesky,
  cond,
  det,
  eigh,
  eigvalsh,
  inverse,
  lstsq,
  lu,
  type MatrixNormOrder,
  matrixExp,
  matrixNorm,
  matrixPower,
  matrixRank,
  pinv,
  qr,
  slogdet,
  solve,
  solveTriangular,
  svd,
  svdvals,
  trace,
  vectorNorm,
} from "./index.ts";

type Nested = number | Nested[];
interface Case {
  name: string;
  options: Record<string, never>;
  inputs: Nested[];
  output: Nested;
  gradients: (Nested | null)[];
}
const { cases, weightsSeed } = readFixture<{ cases: Case[]; weightsSeed: number }>("linalg.json");

const f64 = (value: Nested): Tensor => tensor(value as number[], { dtype: "f64" }) as Tensor;
const symmetric = (x: Tensor): Tensor => x.add(x.transpose());
const projector = (x: Tensor): Tensor => {
  const two = x.at("...", [0, 1]);
  return two.matmul(two.transpose());
};

const functions: Record<string, (inputs: Tensor[], options: Case["options"]) => Tensor> = {
  solve: ([a, b]) => solve(a!, b!),
  inverse: ([a]) => inverse(a!),
  det: ([a]) => det(a!),
  "slogdet.logAbs": ([a]) => slogdet(a!).logAbs,
  "slogdet.sign": ([a]) => slogdet(a!).sign,
  cholesky: ([a]) => cholesky(a!),
  solveTriangular: ([a, b], options) => solveTriangular(a!, b!, options),
  "qr.Q": ([a]) => qr(a!).Q,
  "qr.R": ([a]) => qr(a!).R,
  lstsq: ([a, b]) => lstsq(a!, b!),
  "eigh.values": ([a]) => eigvalsh(symmetric(a!)),
  "eigh.projector": ([a]) => projector(eigh(symmetric(a!)).vectors),
  "svd.S": ([a]) => svdvals(a!),
  "svd.projector": ([a]) => projector(svd(a!).U),
  pinv: ([a]) => pinv(a!),
  matrixExp: ([a]) => matrixExp(a!),
  matrixPower: ([a], { k }) => matrixPower(a!, k),
  trace: ([a]) => trace(a!),
  matrixRank: ([a]) => matrixRank(a!),
  cond: ([a]) => cond(a!),
  matrixNorm: ([a], { order }) => matrixNorm(a!, orderOf(order)),
  vectorNorm: ([a], { p }) => vectorNorm(a!, { p: Number(String(p).replace("inf", "Infinity")), axis: 1 }),
};

function orderOf(text: string): MatrixNormOrder {
  if (text === "fro" || text === "nuc") return text;
  return Number(text.replace("inf", "Infinity"));
}

const flat = (value: Nested): number[] => ([value] as unknown[]).flat(Infinity) as number[];

function expectNear(what: string, got: ArrayLike<number>, want: readonly number[], tolerance = 1e-9): void {
  expect(got.length, what).toBe(want.length);
  const largest = Math.max(...want.map(Math.abs), 1e-30);
  want.forEach((value, i) => {
    expect(Math.abs(got[i]! - value) / largest, `${what} ${i}: ${got[i]}, not ${value}`).toBeLessThan(
      tolerance,
    );
  });
}

describe("PyTorch's torch.linalg", () => {
  const titled = cases.map((row, i) => ({ row, title: `${i} ${row.name} ${JSON.stringify(row.options)}` }));
  it.each(titled)("$title", async ({ row }) => {
    const inputs = row.inputs.map(f64);
    const result = functions[row.name]!(inputs, row.options);
    expectNear("value", (await result.data()) as ArrayLike<number>, flat(row.output));
    const wanted = row.gradients.flatMap((gradient, i) => (gradient === null ? [] : [i]));
    if (wanted.length === 0) return;
    const shape = result.shape as readonly number[];
    const size = shape.reduce((a, b) => a * b, 1);
    const weights = f64(Array.from(hashedUniform(weightsSeed, size, 1))).reshape([...shape]);
    const found = grad(
      result.mul(weights).sum(),
      wanted.map((i) => inputs[i]!),
    );
    for (const [at, i] of wanted.entries())
      expectNear(`gradient ${i}`, (await found[at]!.data()) as ArrayLike<number>, flat(row.gradients[i]!));
  });
});

const random = (seed: number, ...shape: number[]): Tensor => {
  const out = new Float32Array(shape.reduce((a, b) => a * b, 1));
  fillUniform(randomKey(seed), out, -1, 1);
  return tensor(Float64Array.from(out), { dtype: "f64", shape }) as unknown as Tensor;
};
const largest = async (x: Tensor): Promise<number> => Number(await x.abs().max().item());
const distanceToIdentity = (x: Tensor): Promise<number> => {
  const n = x.shape[x.shape.length - 1] as number;
  const one = Array.from({ length: n }, (_, i) => Array.from({ length: n }, (_, j) => Number(i === j)));
  return largest(x.sub(f64(one)));
};

describe("factors multiply to the matrix", () => {
  it.each([1, 2, 5, 33])("lu and solve, n = %i", async (n) => {
    const [a, b] = [random(n, 3, n, n), random(n + 50, 3, n, 2)];
    const { lower, upper, order } = lu(a);
    const rows = a.takeAlong(order.expandDims(-1).broadcastTo([3, n, n]), -2);
    expect(await largest(lower.matmul(upper).sub(rows))).toBeLessThan(1e-13);
    expect(await largest(lower)).toBeLessThanOrEqual(1);
    expect(await largest(a.matmul(solve(a, b)).sub(b))).toBeLessThan(1e-11);
    const { sign, logAbs } = slogdet(a);
    const d = det(a);
    expect(await largest(sign.mul(logAbs.exp()).div(d).sub(1))).toBeLessThan(1e-11);
  });

  it.each([
    [3, 3],
    [7, 4],
    [4, 7],
    [1, 5],
    [5, 1],
    [20, 20],
  ])("qr, %i × %i", async (m, n) => {
    const a = random(m * n, 2, m, n);
    const { Q, R } = qr(a);
    expect(await largest(Q.matmul(R).sub(a))).toBeLessThan(1e-13);
    expect(await largest(R.sub(R.triu()))).toBe(0);
    expect(await distanceToIdentity(Q.transpose().matmul(Q))).toBeLessThan(1e-13);
  });

  it.each([1, 2, 3, 6, 9, 32])("eigh, n = %i", async (n) => {
    const a = symmetric(random(n, 2, n, n));
    const { values, vectors } = eigh(a);
    expect(await largest(a.matmul(vectors).sub(vectors.mul(values.expandDims(-2))))).toBeLessThan(1e-12);
    expect(await distanceToIdentity(vectors.transpose().matmul(vectors))).toBeLessThan(1e-12);
    const rows = (await values.toArray()) as number[][];
    for (const row of rows) expect(row).toEqual([...row].sort((p, q) => p - q));
  });

  it("eigh of equal eigenvalues, of a diagonal matrix, and of zeros", async () => {
    for (const a of [
      f64([
        [2, 0, 0],
        [0, 2, 0],
        [0, 0, 2],
      ]),
      f64([
        [3, 0],
        [0, -1],
      ]),
      f64([
        [0, 0],
        [0, 0],
      ]),
    ]) {
      const { values, vectors } = eigh(a);
      expect(await largest(a.matmul(vectors).sub(vectors.mul(values.expandDims(-2))))).toBe(0);
      expect(await distanceToIdentity(vectors.transpose().matmul(vectors))).toBe(0);
    }
  });

  it.each([
    [3, 3],
    [7, 4],
    [4, 7],
    [1, 5],
    [5, 1],
    [30, 20],
    [2, 2],
  ])("svd, %i × %i", async (m, n) => {
    const a = random(m * n + 1, 2, m, n);
    const { U, S, V } = svd(a);
    expect(await largest(U.mul(S.expandDims(-2)).matmul(V.transpose()).sub(a))).toBeLessThan(1e-12);
    expect(await distanceToIdentity(U.transpose().matmul(U))).toBeLessThan(1e-12);
    expect(await distanceToIdentity(V.transpose().matmul(V))).toBeLessThan(1e-12);
  });

  it("svd without full rank has orthonormal vectors all the same", async () => {
    for (const a of [
      f64([
        [1, 2],
        [2, 4],
        [3, 6],
      ]),
      f64([
        [0, 0],
        [0, 0],
      ]),
      f64([
        [0, 0, 1],
        [0, 0, 0],
        [0, 0, 0],
      ]),
    ]) {
      const { U, S, V } = svd(a);
      expect(await largest(U.mul(S.expandDims(-2)).matmul(V.transpose()).sub(a))).toBeLessThan(1e-12);
      expect(await distanceToIdentity(U.transpose().matmul(U))).toBeLessThan(1e-12);
      expect(await distanceToIdentity(V.transpose().matmul(V))).toBeLessThan(1e-12);
    }
  });

  it("an ill-conditioned system: a Hilbert matrix", async () => {
    const hilbert = f64(
      Array.from({ length: 8 }, (_, i) => Array.from({ length: 8 }, (_, j) => 1 / (i + j + 1))),
    );
    const x = f64(Array.from({ length: 8 }, (_, i) => [i + 1]));
    expect(await largest(solve(hilbert, hilbert.matmul(x)).sub(x))).toBeLessThan(1e-5);
    const ratio = Number(await cond(hilbert).item());
    expect(ratio / 1.5257575538060041e10).toBeCloseTo(1, 5);
  });

  it("eigh and svd of many columns keep f32's digits", async () => {
    const wide = random(17, 64, 64);
    const narrow = wide.cast("f32") as Tensor;
    for (const values of [(x: Tensor) => eigh(x).values, (x: Tensor) => svd(x).S]) {
      const exact = (await values(narrow.cast("f64") as Tensor).data()) as Float64Array;
      const found = (await values(narrow).data()) as Float32Array;
      const largest = Math.max(...exact.map(Math.abs));
      found.forEach((value, i) => {
        expect(Math.abs(value - exact[i]!) / largest).toBeLessThan(1e-6);
      });
    }
  });

  it("works in f32, in a compiled function, with a gradient of second order", async () => {
    const a = tensor([
      [4, 1],
      [1, 3],
    ]) as Tensor;
    const f = compile((x: Tensor) => cholesky(x).sum());
    expect(Number(await f(a).item())).toBeCloseTo(2 + 0.5 + Math.sqrt(2.75), 6);
    const x = random(3, 3, 3);
    const b = random(4, 3, 1);
    const first = grad(solve(x, b).square().sum(), x) as Tensor;
    const second = (await grad(first.square().sum(), x).data()) as Float64Array;
    const base = (await x.data()) as Float64Array;
    for (let i = 0; i < 9; i++) {
      const at = async (h: number): Promise<number> => {
        const moved = base.slice();
        moved[i]! += h;
        const y = tensor(moved, { dtype: "f64", shape: [3, 3] }) as unknown as Tensor;
        return Number(await grad(solve(y, b).square().sum(), y).square().sum().item());
      };
      const numeric = ((await at(1e-6)) - (await at(-1e-6))) / 2e-6;
      expect(Math.abs(second[i]! / numeric - 1)).toBeLessThan(1e-4);
    }
  });
});

describe("what cannot be", () => {
  it.each<[string, () => unknown, string]>([
    ["a vector", () => solve([1, 2], [[1]]), "solve: takes matrices (…, m, n) of known sizes, got (2,)"],
    ["not square", () => inverse([[1, 2]]), "inverse: takes square matrices (…, n, n), got (1, 2)"],
    [
      "other rows",
      () => solve([[1]], [[1], [2]]),
      "solve: a matrix (1, 1) takes right-hand sides of 1 rows, got (2, 1)",
    ],
    [
      "other dtypes",
      () => solve(f64([[1]]), tensor([[1]])),
      "solve: the matrices are f64 and f32; cast one of them",
    ],
    [
      "too few equations",
      () => lstsq([[1, 2]], [[1]]),
      "lstsq: takes at least as many equations as unknowns",
    ],
    [
      "a broken power",
      () => matrixPower([[1]], 0.5),
      "matrixPower: the exponent must be an integer, got 0.5",
    ],
    [
      "an unknown norm",
      () => matrixNorm([[1]], 3),
      'matrixNorm: order 3 is unknown; use "fro", "nuc", ±1, ±2 or ±Infinity',
    ],
  ])("%s", (_, ask, message) => {
    expect(ask).toThrow(message);
  });

  it("singular and indefinite matrices fail the run", async () => {
    const singular = [
      [1, 2],
      [2, 4],
    ];
    await expect(solve(singular, [[1], [2]]).toArray()).rejects.toThrow("solve: the matrix is singular");
    await expect(solveTriangular([[0]], [[1]]).toArray()).rejects.toThrow(
      "solveTriangular: the matrix is singular",
    );
    await expect(
      cholesky([
        [1, 2],
        [2, 1],
      ]).toArray(),
    ).rejects.toThrow("cholesky: the matrix is not positive definite");
    expect(Math.abs(Number(await det(singular).item()))).toBe(0);
    expect(await slogdet(singular).logAbs.item()).toBe(-Infinity);
  });
});
