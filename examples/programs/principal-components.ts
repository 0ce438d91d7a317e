/**
 * Principal components by power iteration: the direction in which the data varies most, then the same in what is left of it.
 * They are the right singular vectors of the centred data.
 */
import { compile, eye, scan, type Tensor, tensor } from "netwright";

const components = compile((x: Tensor) => {
  const centered = x.sub(x.mean(0)) as Tensor; // (N, D)
  const covariance = centered
    .transpose()
    .matmul(centered)
    .div(x.shape[0] - 1) as Tensor; // (D, D)
  const found: Tensor[] = [];
  const variances: Tensor[] = [];
  let rest = covariance;
  for (let k = 0; k < 2; k++) {
    const start = eye(x.shape[1], 1, { dtype: "f64" }).flatten().add(0.1) as Tensor;
    const grow = (v: Tensor) => ({ carry: rest.matmul(v).div(rest.matmul(v).norm()) as Tensor });
    const { carry: v } = scan(grow, start, null, { length: 500 });
    const variance = v.mul(rest.matmul(v)).sum();
    rest = rest.sub(v.outer(v).mul(variance)) as Tensor;
    // The sign is free: the entry of the largest size is made positive.
    const isLargest = v.abs().equal(v.abs().max()).cast("f64");
    found.push(v.mul(v.mul(isLargest).sum().sign()) as Tensor);
    variances.push(variance);
  }
  return { found, variances, centered };
});

export async function principalComponents(given: { x: number[][] }) {
  const { found, variances, centered } = components(tensor(given.x, { dtype: "f64" }));
  const projected = await Promise.all(found.map((v) => centered.matmul(v).data()));
  return {
    components: await Promise.all(found.map((v) => v.toArray())),
    variances: await Promise.all(variances.map((v) => v.item())),
    projected: given.x.map((_, i) => projected.map((p) => p[i]!)),
  };
}
