/** Soft k-means: assignments by softmax over distances, in a loop of the program; and the gradient of where it ends. */
import { compile, grad, scan, type Tensor, tensor } from "netwright";

export async function softKMeans(given: { points: number[][]; centers: number[][] }) {
  const points = tensor(given.points, { dtype: "f64" }); // (N, 2)
  const distances = (centers: Tensor): Tensor =>
    points.expandDims(1).sub(centers.expandDims(0)).square().sum(-1) as Tensor; // (N, K)

  const run = compile((first: Tensor) => {
    const { carry: centers } = scan(
      (centers: Tensor) => {
        const shares = distances(centers).mul(-2).softmax(1) as Tensor; // (N, K)
        const next = shares.transpose().matmul(points).div(shares.sum(0).expandDims(1));
        return { carry: next as Tensor };
      },
      first,
      null,
      { length: 10 },
    );
    const loss = distances(centers).mul(-2).logSumExp(1).mean().neg();
    return { centers, loss, slope: grad(loss, first) };
  });
  const { centers, loss, slope } = run(tensor(given.centers, { dtype: "f64" }));
  return { centers: await centers.toArray(), loss: await loss.item(), slope: await slope.toArray() };
}
