/**
 * What samplers find with the same number of trials: the median over seeds of the best value, beside random search's.
 *
 * Three problems: Branin's function and Hartmann's of six variables (Dixon, Szegő, "Towards global optimisation 2", 1978), and the tuning of a
 * small network on 400 digits of MNIST: cross entropy on a fixed validation part.
 */
import { seed as setSeed } from "netwright";
import { mnist } from "netwright/data";
import { crossEntropy } from "netwright/losses";
import { Dropout, Linear, ReLU, Sequential, Tanh } from "netwright/nn";
import { adam, sgd } from "netwright/optim";
import { evaluate, fit } from "netwright/train";
import {
  choice,
  cmaEs,
  gaussianProcess,
  integer,
  logUniform,
  type Objective,
  randomSearch,
  type Sampler,
  type Space,
  sobol,
  space,
  study,
  tpe,
  uniform,
  when,
} from "netwright/tune";
import { table } from "./report.ts";

interface Problem {
  readonly title: string;
  readonly trials: number;
  readonly space: Space<any>;
  readonly objective: Objective<any>;
}

const samplers: Readonly<Record<string, (seed: number) => Sampler>> = {
  random: (seed) => randomSearch({ seed }),
  Sobol: (seed) => sobol({ seed }),
  TPE: (seed) => tpe({ seed }),
  "TPE, multivariate": (seed) => tpe({ seed, multivariate: true }),
  "CMA-ES": (seed) => cmaEs({ seed }),
  "Gaussian process": (seed) => gaussianProcess({ seed }),
};

const branin: Problem = {
  title: "Branin (least 0.3979)",
  trials: 40,
  space: space({ x: uniform(-5, 10), y: uniform(0, 15) }),
  objective: ({ x, y }) =>
    (y - (5.1 / (4 * Math.PI ** 2)) * x ** 2 + (5 / Math.PI) * x - 6) ** 2 +
    10 * (1 - 1 / (8 * Math.PI)) * Math.cos(x) +
    10,
};

const hartmannA = [
  [10, 3, 17, 3.5, 1.7, 8],
  [0.05, 10, 17, 0.1, 8, 14],
  [3, 3.5, 1.7, 10, 17, 8],
  [17, 8, 0.05, 10, 0.1, 14],
];
const hartmannP = [
  [0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886],
  [0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991],
  [0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.665],
  [0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381],
];
const hartmann: Problem = {
  title: "Hartmann, 6 variables (least -3.3224)",
  trials: 60,
  space: space(Object.fromEntries(Array.from({ length: 6 }, (_, i) => [`x${i}`, uniform(0, 1)]))),
  objective: (x) =>
    -[1, 1.2, 3, 3.2].reduce((sum, weight, k) => {
      const exponent = hartmannA[k]!.reduce(
        (total, a, i) => total + a * (x[`x${i}`] - hartmannP[k]![i]!) ** 2,
        0,
      );
      return sum + weight * Math.exp(-exponent);
    }, 0),
};

/** The same first weights and order of samples in all trials: what differs are the parameters. */
async function digits(): Promise<Problem> {
  const { train } = await mnist();
  const [learnt, validation] = [train.take(400), train.slice(400, 1000)];
  return {
    title: "a network for 400 digits: validation cross entropy after 4 epochs",
    trials: 25,
    space: space({
      learningRate: logUniform(1e-5, 1),
      width: integer(8, 64, { log: true }),
      layers: integer(1, 3),
      activation: choice("relu", "tanh"),
      dropout: uniform(0, 0.6),
      optimizer: choice("adam", "sgd"),
      momentum: when("optimizer", "sgd", uniform(0, 0.99)),
    }),
    async objective({ learningRate, width, layers, activation, dropout, optimizer, momentum }) {
      setSeed(1);
      const hidden = Array.from({ length: layers }, (_, i) => [
        new Linear(i === 0 ? 784 : width, width),
        activation === "relu" ? new ReLU() : new Tanh(),
        new Dropout(dropout),
      ]).flat();
      const model = new (Sequential as any)(...hidden, new Linear(width, 10));
      const chosen = optimizer === "adam" ? adam({ learningRate }) : sgd({ learningRate, momentum });
      try {
        const quietly = { progress: "none", checks: false, gradientNorm: false } as const;
        await fit(model, learnt, { ...quietly, epochs: 4, loss: crossEntropy, optimizer: chosen });
      } catch {
        return 100; // A loss that is not finite.
      }
      return (await evaluate(model, validation, { loss: crossEntropy }))["loss"]!;
    },
  };
}

const median = (values: readonly number[]): number => {
  const sorted = values.slice().sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
};

async function bestOf({ space, objective, trials }: Problem, sampler: Sampler): Promise<number> {
  const search = await study({ space, sampler });
  await search.optimize(objective, { trials });
  return search.best!.value;
}

/** Prints a table for each problem; `seeds` searches with each sampler. */
export async function measureSearch(seeds: number): Promise<void> {
  for (const problem of [branin, hartmann, await digits()]) {
    const found: Record<string, number[]> = {};
    for (const [name, sampler] of Object.entries(samplers)) {
      found[name] = [];
      for (let seed = 0; seed < seeds; seed++) found[name].push(await bestOf(problem, sampler(seed)));
    }
    const reference = median(found["random"]!);
    const lines = Object.entries(found).map(([name, values]) => [
      name,
      median(values).toPrecision(4),
      `${Math.min(...values).toPrecision(4)} – ${Math.max(...values).toPrecision(4)}`,
      `${values.filter((value) => value < reference).length} of ${seeds}`,
    ]);
    const header = ["sampler", "median of the best", "range", "better than random's median"];
    console.log(`\n## search: ${problem.title}, ${problem.trials} trials\n\n${table(header, lines)}`);
  }
}
