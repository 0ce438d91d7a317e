/**
 * Logistic regression by Newton's method: each step solves H·s = g by conjugate gradients, which ask for products with the
 * Hessian alone. In f64, where both end at the same digits.
 */
import { compile, grad, hessian, hessianVectorProduct, scan, state, type Tensor, tensor } from "netwright";
import { binaryCrossEntropy } from "netwright/losses";

export async function newton(given: { x: number[][]; labels: number[] }) {
  const x = tensor(given.x, { dtype: "f64" });
  const labels = tensor(given.labels, { dtype: "f64" });
  const size = given.x[0]!.length;
  const w = state(tensor(new Array<number>(size).fill(0), { dtype: "f64" }), { name: "w" });
  const objective = () => binaryCrossEntropy(x.matmul(w), labels).add(w.square().sum().mul(0.05));

  const step = compile(() => {
    const loss = objective();
    const g = grad(loss, w);
    const solve = scan(
      ({ s, r, p }: { s: Tensor; r: Tensor; p: Tensor }) => {
        const along = hessianVectorProduct(loss, w, p);
        const square = r.square().sum().maximum(1e-300); // at the end the residual is 0
        const length = square.div(p.mul(along).sum().maximum(1e-300));
        const rest = r.sub(along.mul(length)) as Tensor;
        const turn = rest.square().sum().div(square);
        return { carry: { s: s.add(p.mul(length)) as Tensor, r: rest, p: rest.add(p.mul(turn)) as Tensor } };
      },
      { s: g.mul(0) as Tensor, r: g as Tensor, p: g as Tensor },
      null,
      { length: size },
    );
    const curvature = hessian(loss, w);
    w.assign(w.sub(solve.carry.s));
    return { loss, curvature };
  });

  const losses: number[] = [];
  let curvature: unknown;
  for (let i = 0; i < 6; i++) {
    const result = step();
    losses.push(await result.loss.item());
    curvature = await result.curvature.toArray();
  }
  return { losses, weights: await w.toArray(), curvature };
}
