/** Operators that hold graphs. */
import type { Node } from "../../graph/node.ts";
import * as ops from "../../ops/index.ts";
import type { Row, Rows } from "../request.ts";

/** One branch where the condition is known when the graph is built; else both, and the chosen one's values. */
const branch: Row = (request) => {
  const known = request.maybeConstant(0);
  if (known !== undefined) return request.run(known.data[0] ? "then_branch" : "else_branch", []);
  const condition = ops.reshape(request.input(0), []);
  const [then, otherwise] = ["then_branch", "else_branch"].map((name) =>
    request.run(name, []).map((value) => request.single(value)),
  ) as [Node[], Node[]];
  return then.map((value, i) => {
    const other = otherwise[i]!;
    if (
      value.shape.length !== other.shape.length ||
      value.shape.some((size, axis) => size !== other.shape[axis])
    )
      throw request.fail(
        "its branches give different shapes, and which is taken depends on the model's inputs",
      );
    return ops.select(ops.broadcastTo(condition, value.shape), value, other);
  });
};

/** A loop over slices along the first axis, with values carried from one to the next. */
const scan: Row = (request) => {
  const slices = request.integer("num_scan_inputs", 0);
  const inputs = request.inputs();
  const carries = inputs.slice(0, inputs.length - slices);
  const all = (name: string): readonly number[] => request.integers(name) ?? [];
  if (["scan_input_axes", "scan_output_axes"].some((name) => all(name).some((axis) => axis !== 0)))
    throw request.fail("slices along another axis than the first are not supported");
  const directions = new Set([...all("scan_input_directions"), ...all("scan_output_directions")]);
  if (directions.size > 1) throw request.fail("slices in both directions are not supported");
  if (slices === 0) throw request.fail("it has no slices to loop over");
  const { carry, stacked } = ops.scan(
    carries,
    inputs.slice(carries.length),
    (carried: readonly Node[], sliced: readonly Node[]) => {
      const results = request.run("body", [...carried, ...sliced]).map((value) => request.single(value));
      return { carry: results.slice(0, carries.length), stacked: results.slice(carries.length) };
    },
    { reverse: directions.has(1) },
  );
  return [...carry, ...stacked];
};

export const control: Rows = { If: branch, Scan: scan };
