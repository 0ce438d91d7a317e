/** What follows a convolution is part of its product: bias, batch norm's scale and shift, the residual, the activation. */
import { expect, test } from "vitest";
import { cpuDevice } from "../runtime/devices.ts";
import { compile, type Tensor, zeros } from "../tensor/index.ts";
import { BatchNorm2d, Conv2d } from "./index.ts";

test.skipIf(cpuDevice().name === "interpreter")(
  "no kernel stands between two convolutions of a residual block",
  () => {
    const [first, second] = [0, 1].map(() => new Conv2d(16, 16, 3, { padding: 1 })) as [Conv2d, Conv2d];
    const norm = new BatchNorm2d(16).eval();
    const block = compile((x: Tensor) => {
      const y = first.forward(x).relu() as Tensor;
      return norm.forward(second.forward(y)).add(y).relu().mean();
    });
    const text = String(block.describe(zeros([4, 16, 14, 14]) as Tensor));
    const kernels = text.split("\n").filter((line) => /^ {2}(map|row|dot|pad|copy)/.test(line));
    expect(
      kernels.filter((line) => line.startsWith("  dot 4×14×14×144×16") && !line.includes("pack")),
    ).toHaveLength(2);
    // The one map makes scales of 16 channels; the sum at the end is the mean.
    expect(
      kernels.filter((line) => /^ {2}map/.test(line)).map((line) => line.trim().split(/ {2,}/)[0]),
    ).toEqual(["map add,sqrt,div,mul,sub 16"]);
  },
);
