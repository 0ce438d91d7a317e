/** What is one operator of ONNX and several nodes here. */
import type { Composition } from "../../graph/composition.ts";
import type { Node } from "../../graph/node.ts";
import type { GraphWriter } from "./writer.ts";

type Writer = (
  to: GraphWriter,
  inputs: readonly string[],
  composition: Composition,
  node: Node,
) => string | undefined;

type Geometry = {
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly padding: readonly (readonly [number, number])[];
};

const windowsOf = (attributes: Composition["attributes"]) => {
  const { strides, dilations, padding } = attributes as Geometry;
  const pads = [...padding.map(([low]) => low), ...padding.map(([, high]) => high)];
  return { strides, dilations, pads };
};

const convolution =
  (op: "Conv" | "ConvTranspose"): Writer =>
  (to, inputs, { inputs: [, weight], attributes }) => {
    const kernel = weight!.shape.slice(2) as readonly number[];
    const outputPadding = attributes["outputPadding"] as readonly number[] | undefined;
    return to.add(op, inputs, {
      ...windowsOf(attributes),
      kernel_shape: kernel,
      group: attributes["groups"] as number,
      ...(outputPadding && { output_padding: outputPadding }),
    });
  };

const pool =
  (op: "MaxPool" | "AveragePool"): Writer =>
  (to, inputs, { attributes }) => {
    const { strides, dilations, pads } = windowsOf(attributes);
    const isDilated = dilations.some((dilation) => dilation !== 1);
    const sizes = attributes["sizes"] as readonly number[];
    // Padding as wide as a window is none to other programs; dilated averages are newer than what is written.
    if (pads.some((width, i) => width >= sizes[i % sizes.length]!) || (op === "AveragePool" && isDilated))
      return undefined;
    return to.add(op, inputs, {
      ...{ kernel_shape: sizes, strides, pads },
      ...(isDilated && { dilations }),
      ...(op === "AveragePool" && { count_include_pad: attributes["countsPadding"] === true ? 1 : 0 }),
    });
  };

const alongOne =
  (op: string): Writer =>
  (to, inputs, { attributes }) => {
    const axes = attributes["axes"] as readonly number[];
    return axes.length === 1 ? to.add(op, inputs, { axis: axes[0]! }) : undefined;
  };

const plain =
  (op: string): Writer =>
  (to, inputs) =>
    to.add(op, inputs);

/** undefined from a writer: the nodes themselves are written. */
export const compositionWriters: Readonly<Record<string, Writer>> = {
  averagePool: pool("AveragePool"),
  convolution: convolution("Conv"),
  convolutionTranspose: convolution("ConvTranspose"),
  logSoftmax: alongOne("LogSoftmax"),
  maxPool: pool("MaxPool"),
  relu: plain("Relu"),
  sigmoid: plain("Sigmoid"),
  softmax: alongOne("Softmax"),
  softplus: plain("Softplus"),
};
