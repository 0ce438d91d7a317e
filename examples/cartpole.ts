/**
 * CartPole: a cart keeps a pole upright, and learns how from nothing but how long it stood. The world is forty lines of mechanics; the
 * learner is PPO (Schulman et al., "Proximal policy optimization algorithms", 2017).
 */
import { compile, grad, type Tensor, tensor } from "netwright";
import { draws } from "netwright/data";
import { initializers, Linear, Module, Sequential, Tanh } from "netwright/nn";
import { Adam, clipByGlobalNorm, linear } from "netwright/optim";
import { lineChart } from "netwright/report";
import { example, type Run } from "./support/example.ts";

const longest = 500;

export default example({
  task: "balance a pole, by reinforcement learning",
  data: "a cart with a pole, simulated; 100 starts that were not trained on test",
  metric: "steps upright, mean of 100 tries",
  chance: 60,
  reference: {
    "steps upright, mean of 100 tries": { value: 481, from: "PyTorch, the same algorithm and budget" },
  },
  run,
});

/** Position, speed, angle, speed of the angle. */
type State = [number, number, number, number];

/** Barto, Sutton and Anderson, "Neuronlike adaptive elements that can solve difficult learning control problems", 1983; Gym's figures. */
function move([x, speed, angle, turning]: State, isRight: boolean): State {
  const [gravity, poleMass, mass, half, seconds] = [9.8, 0.1, 1.1, 0.5, 0.02];
  const [sin, cos] = [Math.sin(angle), Math.cos(angle)];
  const pushed = ((isRight ? 10 : -10) + poleMass * half * turning ** 2 * sin) / mass;
  const turn = (gravity * sin - cos * pushed) / (half * (4 / 3 - (poleMass * cos ** 2) / mass));
  const push = pushed - (poleMass * half * turn * cos) / mass;
  return [x + seconds * speed, speed + seconds * push, angle + seconds * turning, turning + seconds * turn];
}

const hasFallen = ([x, , angle]: State): boolean =>
  Math.abs(x) > 2.4 || Math.abs(angle) > (12 * Math.PI) / 180;

/** What to do, and how long it will stand: two networks. */
class Agent extends Module {
  readonly actor = network(2, 0.01);
  readonly critic = network(1, 1);
  /** (N, 4) → logits (N, 2), values (N). */
  forward(states: Tensor): [logits: Tensor, values: Tensor] {
    return [this.actor.forward(states), this.critic.forward(states).squeeze(-1)];
  }
}

function network(outputs: number, gain: number) {
  const layer = (from: number, to: number, scale: number) =>
    new Linear(from, to, {
      weightInit: initializers.orthogonal({ gain: scale }),
      biasInit: initializers.zeros(),
    });
  const root2 = Math.SQRT2;
  return new Sequential(
    layer(4, 64, root2),
    new Tanh(),
    layer(64, 64, root2),
    new Tanh(),
    layer(64, outputs, gain),
  );
}

interface Sample {
  readonly state: State;
  readonly action: number;
  readonly chance: number;
  readonly advantage: number;
  readonly returns: number;
}

const [worlds, horizon, epochs, batchSize] = [8, 128, 4, 256];
const [discount, smoothing, clipping] = [0.99, 0.95, 0.2];

async function run({ quick, seed, labels, say }: Run) {
  const random = draws(seed);
  const started: State[] = [];
  const start = (): State => {
    const state = [0, 0, 0, 0].map(() => random.uniform(-0.05, 0.05)) as State;
    started.push(state);
    return state;
  };
  const agent = new Agent();
  const rounds = quick ? 24 : 150;
  const steps = (rounds * epochs * worlds * horizon) / batchSize;
  const learningRate = linear({ from: quick ? 1e-3 : 2.5e-4, to: 0, steps });
  const optimizer = new Adam(agent.parameters(), { learningRate, epsilon: 1e-5 });

  const act = compile((states: Tensor) => {
    const [logits, values] = agent.forward(states);
    return { chances: logits.softmax(-1), values };
  });
  const learn = compile(
    (states: Tensor, actions: Tensor, oldChances: Tensor, advantages: Tensor, returns: Tensor) => {
      const [logits, values] = agent.forward(states);
      const logChances = logits.logSoftmax(-1); // (N, 2)
      const ratio = logChances.mul(actions).sum(-1).sub(oldChances.log()).exp();
      const cut = ratio.maximum(1 - clipping).minimum(1 + clipping);
      const gain = ratio.mul(advantages).minimum(cut.mul(advantages)).mean();
      const error = values.sub(returns).square().mean();
      const entropy = logChances.exp().mul(logChances).sum(-1).mean().neg();
      const loss = error.mul(0.25).sub(gain).sub(entropy.mul(0.01));
      optimizer.step(clipByGlobalNorm(grad(loss, optimizer.parameters), 0.5));
    },
  );

  let states = Array.from({ length: worlds }, start);
  let stood = states.map(() => 0);
  const tries: number[] = [];
  const curve: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const played = [];
    for (let t = 0; t <= horizon; t++) {
      const { chances, values } = act(tensor(states));
      const [chance, value] = [await chances.data(), await values.data()];
      const actions = states.map((_, i) => Number(random.uniform() < Number(chance[2 * i + 1])));
      const next = states.map((state, i) => move(state, actions[i] === 1));
      const over = next.map((state, i) => hasFallen(state) || stood[i]! + 1 === longest);
      played.push({
        states,
        actions,
        value,
        chances: actions.map((a, i) => Number(chance[2 * i + a])),
        over,
      });
      // The last look only tells what the states are worth.
      if (t === horizon) break;
      stood = stood.map((count, i) => {
        if (!over[i]) return count + 1;
        tries.push(count + 1);
        return 0;
      });
      states = next.map((state, i) => (over[i] ? start() : state));
    }

    // How much better than expected each action was: Schulman et al., "High-dimensional continuous control using GAE", 2016.
    const samples: Sample[] = [];
    for (let i = 0; i < worlds; i++) {
      let advantage = 0;
      for (let t = horizon - 1; t >= 0; t--) {
        const { states, actions, value, chances, over } = played[t]!;
        const later = over[i] ? 0 : Number(played[t + 1]!.value[i]);
        const surprise = 1 + discount * later - Number(value[i]);
        advantage = surprise + (over[i] ? 0 : discount * smoothing * advantage);
        const returns = advantage + Number(value[i]);
        samples.push({ state: states[i]!, action: actions[i]!, chance: chances[i]!, advantage, returns });
      }
    }
    const advantages = labels(samples.map(({ advantage }) => advantage));
    for (let epoch = 0; epoch < epochs; epoch++) {
      const order = samples.map((_, i) => i).sort(() => random.uniform() - 0.5);
      for (let at = 0; at < order.length; at += batchSize) {
        const batch = order.slice(at, at + batchSize);
        const of = <T>(read: (sample: (typeof samples)[number]) => T) => batch.map((i) => read(samples[i]!));
        learn(
          tensor(of(({ state }) => state)),
          tensor(of(({ action }) => [1 - action, action])),
          tensor(of(({ chance }) => chance)),
          tensor(scaled(batch.map((i) => advantages[i]!))),
          tensor(of(({ returns }) => returns)),
        );
      }
    }
    const last = tries.slice(-30);
    curve.push(last.reduce((sum, count) => sum + count, 0) / Math.max(1, last.length));
    if (round % 10 === 9) say(`${(round + 1) * worlds * horizon} steps: ${curve.at(-1)!.toFixed(0)} upright`);
  }

  // Starts of their own, and the likelier action each time.
  const trained = [...started];
  states = Array.from({ length: 100 }, start);
  const tested = started.slice(trained.length);
  const upright = states.map(() => 0);
  const isUp = states.map(() => true);
  for (let t = 0; t < longest && isUp.includes(true); t++) {
    const chance = await act(tensor(states)).chances.data();
    states = states.map((state, i) => (isUp[i] ? move(state, Number(chance[2 * i + 1]) > 0.5) : state));
    states.forEach((state, i) => {
      if (isUp[i]) upright[i]!++;
      if (hasFallen(state)) isUp[i] = false;
    });
  }
  const x = curve.map((_, round) => (round + 1) * worlds * horizon);
  return {
    scores: {
      "steps upright, mean of 100 tries": upright.reduce((sum, count) => sum + count, 0) / upright.length,
      "share of tries that never fell": upright.filter((count) => count === longest).length / upright.length,
    },
    splits: { train: trained, test: tested },
    pictures: [
      lineChart({
        ...{ title: "Learning to balance", x: "steps of all worlds", y: "steps upright, last 30 tries" },
        series: [{ name: "PPO", x, y: curve }],
      }),
    ],
  };
}

/** Mean 0, deviation 1. */
function scaled(values: readonly number[]): number[] {
  const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
  const deviation = Math.sqrt(values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / values.length);
  return values.map((x) => (x - mean) / (deviation + 1e-8));
}
