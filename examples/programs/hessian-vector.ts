/** The curvature of a network's loss along a direction, without its Hessian; and its largest eigenvalue by power iteration. */
import { compile, hessianVectorProduct, type Tensor, tensor } from "netwright";
import { crossEntropy } from "netwright/losses";
import { Linear, Sequential, Softplus } from "netwright/nn";

export async function hessianVector(given: {
  x: number[][];
  labels: number[];
  weights: Record<string, number[] | number[][]>;
  direction: (number[] | number[][])[];
}) {
  const model = new Sequential(new Linear(3, 5), new Softplus(), new Linear(5, 4));
  model.loadStateDict(
    Object.fromEntries(Object.entries(given.weights).map(([name, w]) => [name, tensor(w as number[])])),
  );
  const labels = tensor(given.labels, { dtype: "i32" });
  const product = compile((x: Tensor, direction: Tensor[]) => {
    const loss = crossEntropy(model.forward(x), labels);
    return hessianVectorProduct(loss, model.parameters(), direction);
  });

  let direction = given.direction.map((v) => tensor(v as number[])) as Tensor[];
  const first = product(given.x, direction as never);
  let eigenvalue = 0;
  for (let i = 0; i < 100; i++) {
    const next = product(given.x, direction as never);
    const length = await next
      .map((v) => v.square().sum())
      .reduce((a, b) => a.add(b))
      .sqrt()
      .item();
    direction = next.map((v) => v.div(length)) as Tensor[];
    eigenvalue = length;
  }
  return { product: await Promise.all(first.map((v) => v.toArray())), eigenvalue };
}
