/**
 * Principal components: the directions in which data varies most are the right singular vectors of the centred data, and the
 * variances along them the squares of its singular values, divided by N − 1.
 */
import { compile, slice, type Tensor, tensor } from "netwright";
import { svd } from "netwright/linalg";

const components = compile((x: Tensor) => {
  const centered = x.sub(x.mean(0)) as Tensor; // (N, D)
  const { S, V } = svd(centered);
  const found = V.at(slice(), slice(0, 2)); // (D, 2)
  return {
    found: found.transpose(),
    variances: S.at(slice(0, 2))
      .square()
      .div(x.shape[0] - 1),
    projected: centered.matmul(found),
  };
});

export async function principalComponents(given: { x: number[][] }) {
  const { found, variances, projected } = components(tensor(given.x, { dtype: "f64" }));
  return {
    components: await found.toArray(),
    variances: await variances.toArray(),
    projected: await projected.toArray(),
  };
}
