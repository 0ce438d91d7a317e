/** XOR: the smallest problem that needs a hidden layer. */
import { compile, grad, tensor } from "netwright";
import { binaryCrossEntropy } from "netwright/losses";
import { Linear, Module } from "netwright/nn";
import { Adam } from "netwright/optim";

class Xor extends Module {
  readonly hidden = new Linear(2, 8);
  readonly output = new Linear(8, 1);

  forward(x: any) {
    return this.output.forward(this.hidden.forward(x).tanh());
  }
}

const x = tensor([
  [0, 0],
  [0, 1],
  [1, 0],
  [1, 1],
]);
const y = tensor([[0], [1], [1], [0]]);

export async function xor(given: { weights: Record<string, number[] | number[][]> }) {
  const model = new Xor();
  model.loadStateDict(
    Object.fromEntries(Object.entries(given.weights).map(([name, w]) => [name, tensor(w as number[])])),
  );
  const optimizer = new Adam(model.parameters(), { learningRate: 0.05 });
  const step = compile(() => {
    const loss = binaryCrossEntropy(model.forward(x), y);
    optimizer.step(grad(loss, model.parameters()));
    return loss;
  });
  const losses: number[] = [];
  for (let i = 0; i < 100; i++) losses.push(await step().item());
  return { losses, probabilities: await model.forward(x).sigmoid().toArray() };
}
