/** RNN, GRU and LSTM: a loop over the sequence for each direction. */
import type { Node } from "../../graph/node.ts";
import * as ops from "../../ops/index.ts";
import { known, type Request, type Row, type Rows } from "../request.ts";

/** Weights of one direction: gates side by side, transposed, so that rows times them are gates. */
interface Weights {
  readonly ofInput: Node; // (I, gates · H)
  readonly ofHidden: Node; // (H, gates · H)
  readonly inputBias: Node | undefined; // (gates · H)
  readonly hiddenBias: Node | undefined;
}

/** The states after a step from those before it, (N, H) each, and x·W + b of the step, (N, gates · H). */
type Step = (ofInput: Node, states: readonly Node[], weights: Weights) => Node[];

interface Cell {
  readonly gates: number;
  /** How many states there are: the hidden one, and the LSTM's cell. */
  readonly states: number;
  readonly activations: readonly string[];
  step(request: Request): Step;
}

const plus = (x: Node, bias: Node | undefined): Node =>
  bias === undefined ? x : ops.add(x, ops.broadcastTo(bias, x.shape));

const part = (gates: Node, index: number, size: number): Node => ops.sliceAxis(gates, -1, index * size, size);

const product = (states: Node, weights: Weights): Node =>
  plus(ops.dot(states, weights.ofHidden), weights.hiddenBias);

const sizeOf = (state: Node): number => state.shape.at(-1) as number;

/** Gates in ONNX's order: input, output, forget, cell. Hochreiter and Schmidhuber, 1997. */
const lstm: Cell = {
  gates: 4,
  states: 2,
  activations: ["Sigmoid", "Tanh", "Tanh"],
  step: () => (ofInput, states, weights) => {
    const [hidden, cell] = states as [Node, Node];
    const size = sizeOf(hidden);
    const gates = ops.add(ofInput, product(hidden, weights));
    const [input, output, forget] = [0, 1, 2].map((i) => ops.sigmoid(part(gates, i, size))) as [
      Node,
      Node,
      Node,
    ];
    const next = ops.add(ops.mul(forget, cell), ops.mul(input, ops.tanh(part(gates, 3, size))));
    return [ops.mul(output, ops.tanh(next)), next];
  },
};

/** Gates in ONNX's order: update, reset, hidden. Cho and others, 2014. */
const gru: Cell = {
  gates: 3,
  states: 1,
  activations: ["Sigmoid", "Tanh"],
  step: (request) => {
    const resetsAfter = request.flag("linear_before_reset");
    return (ofInput, states, weights) => {
      const [hidden] = states as [Node];
      const size = sizeOf(hidden);
      const both = product(hidden, weights);
      const gate = (i: number): Node => ops.sigmoid(ops.add(part(ofInput, i, size), part(both, i, size)));
      const [update, reset] = [gate(0), gate(1)];
      const last = resetsAfter
        ? ops.mul(reset, part(both, 2, size))
        : plus(
            ops.dot(ops.mul(reset, hidden), part(weights.ofHidden, 2, size)),
            weights.hiddenBias && part(weights.hiddenBias, 2, size),
          );
      const made = ops.tanh(ops.add(part(ofInput, 2, size), last));
      return [ops.add(ops.mul(update, hidden), ops.mul(ops.sub(ops.like(update, 1), update), made))];
    };
  },
};

const rnn: Cell = {
  gates: 1,
  states: 1,
  activations: ["Tanh"],
  step: (request) => {
    const isRelu = request.strings("activations")?.[0] === "Relu";
    return (ofInput, states, weights) => [
      (isRelu ? ops.relu : ops.tanh)(ops.add(ofInput, product(states[0]!, weights))),
    ];
  },
};

function requireSupported(request: Request, cell: Cell): void {
  const given = request.strings("activations");
  const isKnown = given?.every((name, i) => {
    const expected = cell.activations[i % cell.activations.length];
    return name === expected || (cell === rnn && name === "Relu");
  });
  if (isKnown === false)
    throw request.fail(
      `activations ${given!.join(", ")} are not supported; ${cell.activations.join(", ")} are`,
    );
  if (request.onnx.attributes.has("clip")) throw request.fail("clip is not supported");
  if (request.flag("input_forget")) throw request.fail("input_forget is not supported");
  if (request.has(7)) throw request.fail("peepholes are not supported");
}

const recurrent =
  (cell: Cell): Row =>
  (request) => {
    requireSupported(request, cell);
    const isBatchFirst = request.flag("layout");
    const given = request.input(0);
    const x = isBatchFirst ? ops.transpose(given, 0, 1) : given; // (T, N, I)
    const direction = request.string("direction", "forward");
    const directions = direction === "bidirectional" ? [false, true] : [direction === "reverse"];
    requireWhole(request, x);
    const runs = directions.map((reverse, i) => run(request, cell, x, { reverse, index: i, isBatchFirst }));
    const stacked = ops.stack(
      runs.map(({ outputs }) => outputs),
      1,
    ); // (T, D, N, H)
    const last = (state: number): Node => {
      const all = ops.stack(
        runs.map(({ states }) => states[state]!),
        0,
      ); // (D, N, H)
      return isBatchFirst ? ops.transpose(all, 0, 1) : all;
    };
    const outputs = isBatchFirst ? ops.permute(stacked, [2, 0, 1, 3]) : stacked;
    return [outputs, last(0), cell.states > 1 ? last(1) : undefined];
  };

/** Lengths of sequences, where they are given, must be those of the input. */
function requireWhole(request: Request, x: Node): void {
  const lengths = request.numbers(4);
  const steps = known(request, [x.shape[0]!])[0];
  if (lengths?.some((length) => length !== steps))
    throw request.fail(`sequence_lens other than the input's ${steps} steps are not supported`);
}

interface Direction {
  readonly reverse: boolean;
  readonly index: number;
  readonly isBatchFirst: boolean;
}

function run(
  request: Request,
  cell: Cell,
  x: Node,
  { reverse, index, isBatchFirst }: Direction,
): { outputs: Node; states: readonly Node[] } {
  const own = (input: number, axis = 0): Node | undefined => {
    const all = request.optional(input);
    if (all === undefined) return undefined;
    const picked = ops.sliceAxis(all, axis, index, 1);
    return ops.reshape(picked, picked.shape.toSpliced(axis, 1));
  };
  const [ofInput, ofHidden, bias] = [own(1)!, own(2)!, own(3)];
  const size = ofHidden.shape[1] as number;
  const half = (i: number): Node | undefined =>
    bias && ops.sliceAxis(bias, 0, i * cell.gates * size, cell.gates * size);
  const weights: Weights = {
    ofInput: ops.transpose(ofInput),
    ofHidden: ops.transpose(ofHidden),
    inputBias: half(0),
    hiddenBias: half(1),
  };
  const begin = Array.from(
    { length: cell.states },
    (_, i) => own(5 + i, isBatchFirst ? 1 : 0) ?? ops.full([x.shape[1]!, size], 0, x.dtype),
  );
  // All steps' products with the inputs in one.
  const sums = plus(ops.contract(x, weights.ofInput, { batch: 0, depth: 1 }), weights.inputBias);
  const step = cell.step(request);
  const { carry, stacked } = ops.scan(
    begin,
    [sums],
    (states, [sum]) => {
      const next = step(sum!, states, weights);
      return { carry: next, stacked: [next[0]!] };
    },
    { reverse },
  );
  return { outputs: stacked[0]!, states: carry };
}

export const recurrence: Rows = { GRU: recurrent(gru), LSTM: recurrent(lstm), RNN: recurrent(rnn) };
