import { describe, expect, it } from "vitest";
import { fillUniform, randomKey } from "../base/random.ts";
import { grad, type Tensor, tensor } from "../tensor/index.ts";
import { cholesky, det, eigh, inverse, lstsq, lu, qr, slogdet, solve, solveTriangular, svd } from "./index.ts";

const random = (seed: number, ...shape: number[]): Tensor => {
  const out = new Float32Array(shape.reduce((a, b) => a * b, 1));
  fillUniform(randomKey(seed), out, -1, 1);
  return tensor(Float64Array.from(out), { dtype: "f64", shape }) as unknown as Tensor;
};
const largest = async (x: Tensor): Promise<number> => x.abs().max().item() as Promise<number>;
const eyeLike = (x: Tensor): Tensor => x.matmul(inverse(x));

describe("lu, solve, inverse", () => {
  it.each([1, 2, 5, 33])("of n = %i", async (n) => {
    const [a, b] = [random(n, 3, n, n), random(n + 50, 3, n, 2)];
    const { lower, upper, order } = lu(a);
    const rows = a.takeAlong(order.expandDims(-1).broadcastTo([3, n, n]), -2);
    expect(await largest(lower.matmul(upper).sub(rows))).toBeLessThan(1e-13);
    expect(await largest(lower)).toBeLessThanOrEqual(1);
    expect(await largest(a.matmul(solve(a, b)).sub(b))).toBeLessThan(1e-11);
    expect(await largest(eyeLike(a).sub(tensor(1).mul(0)).sub(eyeLike(a)))).toBe(0);
    const d = det(a);
    const { sign, logAbs } = slogdet(a);
    expect(await largest(sign.mul(logAbs.exp()).sub(d))).toBeLessThan(1e-12);
  });
  it("det of known matrices", async () => {
    expect(await det([[1, 2], [3, 4]]).item()).toBe(-2);
    expect(await det([[0, 1], [1, 0]]).item()).toBe(-1);
    expect(await det([[1, 2], [2, 4]]).item()).toBe(0);
    expect(await slogdet([[1, 2], [2, 4]]).sign.item()).toBe(0);
  });
  it("singular fails the run", async () => {
    await expect(solve([[1, 2], [2, 4]], [[1], [2]]).toArray()).rejects.toThrow("solve: the matrix is singular");
  });
  it("gradients", async () => {
    const a = random(3, 4, 4), b = random(4, 4, 2);
    for (const f of [(x: Tensor) => solve(x, b).square().sum(), (x: Tensor) => det(x), (x: Tensor) => slogdet(x).logAbs, (x: Tensor) => inverse(x).sum(),
      (x: Tensor) => cholesky(x.matmul(x.transpose())).sum(), (x: Tensor) => solveTriangular(x, b, { lower: false }).sum() ]) {
      const g = (await grad(f(a) as Tensor, a).data()) as Float64Array;
      const base = (await a.data()) as Float64Array;
      for (let i = 0; i < 16; i++) {
        const at = async (h: number) => { const d = base.slice(); d[i]! += h; return (await (f(tensor(d, { dtype: "f64", shape: [4, 4] }) as unknown as Tensor) as Tensor).item()) as number; };
        const numeric = ((await at(1e-5)) - (await at(-1e-5))) / 2e-5;
        expect(Math.abs(g[i]! - numeric)).toBeLessThan(1e-5 * Math.max(1, Math.abs(numeric)));
      }
    }
  });
  it("cholesky", async () => {
    const x = random(9, 2, 20, 20), a = x.matmul(x.transpose());
    const L = cholesky(a);
    expect(await largest(L.matmul(L.transpose()).sub(a))).toBeLessThan(1e-12);
    await expect(cholesky([[1, 2], [2, 1]]).toArray()).rejects.toThrow("not positive definite");
  });
});

const numericCheck = async (f: (x: Tensor) => Tensor, a: Tensor) => {
  const shape = a.shape as number[];
  const g = (await grad(f(a), a).data()) as Float64Array;
  const base = (await a.data()) as Float64Array;
  for (let i = 0; i < base.length; i++) {
    const at = async (h: number) => { const d = base.slice(); d[i]! += h; return (await f(tensor(d, { dtype: "f64", shape }) as unknown as Tensor).item()) as number; };
    const numeric = ((await at(1e-5)) - (await at(-1e-5))) / 2e-5;
    expect(Math.abs(g[i]! - numeric), `${i}: ${g[i]} ${numeric}`).toBeLessThan(1e-5 * Math.max(1, Math.abs(numeric)));
  }
};

describe("qr, eigh, svd", () => {
  it.each([[3, 3], [7, 4], [4, 7], [1, 5], [5, 1], [20, 20]])("qr %i × %i", async (m, n) => {
    const a = random(m * n, 2, m, n);
    const { Q, R } = qr(a);
    expect(await largest(Q.matmul(R).sub(a))).toBeLessThan(1e-13);
    expect(await largest(R.sub(R.triu()))).toBe(0);
    const k = Math.min(m, n);
    expect(await largest(Q.transpose().matmul(Q).sub(tensor(Array.from({ length: k }, (_, i) => Array.from({ length: k }, (_, j) => Number(i === j))), { dtype: "f64" }) as any))).toBeLessThan(1e-13);
  });
  it.each([1, 2, 3, 6, 9, 32])("eigh %i", async (n) => {
    const x = random(n, 2, n, n), a = x.add(x.transpose());
    const { values, vectors } = eigh(a);
    expect(await largest(a.matmul(vectors).sub(vectors.mul(values.expandDims(-2))))).toBeLessThan(1e-12);
    expect(await largest(vectors.matmul(vectors.transpose()).diagonal().sub(1))).toBeLessThan(1e-12);
    const v = (await values.data()) as Float64Array;
    for (let i = 1; i < n; i++) expect(v[i]!).toBeGreaterThanOrEqual(v[i - 1]!);
  });
  it.each([[3, 3], [7, 4], [4, 7], [1, 5], [5, 1], [30, 20], [2, 2]])("svd %i × %i", async (m, n) => {
    const a = random(m * n + 1, 2, m, n);
    const { U, S, V } = svd(a);
    expect(await largest(U.mul(S.expandDims(-2)).matmul(V.transpose()).sub(a))).toBeLessThan(1e-12);
    expect(await largest(U.transpose().matmul(U).diagonal().sub(1))).toBeLessThan(1e-12);
    expect(await largest(V.transpose().matmul(V).diagonal().sub(1))).toBeLessThan(1e-12);
  });
  it("svd of a matrix without full rank", async () => {
    const a = tensor([[1, 2], [2, 4], [3, 6]], { dtype: "f64" }) as unknown as Tensor;
    const { U, S, V } = svd(a);
    expect(await largest(U.mul(S.expandDims(-2)).matmul(V.transpose()).sub(a))).toBeLessThan(1e-12);
    expect(await largest(U.transpose().matmul(U).sub(tensor([[1, 0], [0, 1]], { dtype: "f64" }) as any))).toBeLessThan(1e-12);
  });
  it("gradients", async () => {
    const w = random(77, 4, 4);
    await numericCheck((x) => qr(x).Q.mul(w).sum().add(qr(x).R.mul(w).sum()) as Tensor, random(5, 4, 4));
    await numericCheck((x) => qr(x).R.sum() as Tensor, random(6, 3, 4));
    await numericCheck((x) => { const { values, vectors } = eigh(x.add(x.transpose())); return values.mul(w.at(0)).sum().add(vectors.mul(w).sum()) as Tensor; }, random(7, 4, 4));
    await numericCheck((x) => { const { U, S, V } = svd(x); return S.mul(w.at(0, [0, 1, 2])).sum().add(U.mul(w.at([0, 1, 2, 3], "...").at("...", [0, 1, 2])).sum()).add(V.mul(w.at([0, 1, 2]).at("...", [0, 1, 2])).sum()) as Tensor; }, random(8, 4, 3));
    await numericCheck((x) => lstsq(x, w).sum() as Tensor, random(9, 4, 3));
  });
});
