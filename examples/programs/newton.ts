/** Logistic regression by Newton's method: w ← w − H⁻¹·g, with gradient and Hessian of one loss. In f64, where both end at the same digits. */
import { compile, grad, hessian, state, type Tensor, tensor } from "netwright";
import { solve } from "netwright/linalg";
import { binaryCrossEntropy } from "netwright/losses";

export async function newton(given: { x: number[][]; labels: number[] }) {
  const x = tensor(given.x, { dtype: "f64" });
  const labels = tensor(given.labels, { dtype: "f64" });
  const w = state(tensor(new Array<number>(given.x[0]!.length).fill(0), { dtype: "f64" }), { name: "w" });

  const step = compile(() => {
    const loss = binaryCrossEntropy(x.matmul(w), labels).add(w.square().sum().mul(0.05));
    const curvature = hessian(loss, w) as Tensor; // (D, D)
    const direction = solve(curvature, (grad(loss, w) as Tensor).expandDims(-1)); // (D, 1)
    w.assign(w.sub(direction.squeeze(-1)));
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
