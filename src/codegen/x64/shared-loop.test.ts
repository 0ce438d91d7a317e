/** A parallel loop in a parallel loop: whoever runs an iteration has prepared for it, on any number of threads. */
import { describe, expect, it } from "vitest";
import { addAffine, constantAffine, scaleAffine } from "../../ir/affine.ts";
import { KernelBuilder } from "../../ir/builder.ts";
import { evaluateKernel } from "../../ir/evaluate.ts";
import type { Affine, Kernel, KernelBuffer } from "../../ir/kernel.ts";
import { verifyKernel } from "../../ir/verify.ts";
import { runNativeKernel } from "../../testing/native-kernel.ts";
import { nativeDevices } from "../../testing/native-targets.ts";
import { runWasmKernel } from "../../testing/wasm-kernel.ts";
import { avx2, avx512 } from "./isa.ts";

const [panels, groups, width, height] = [5, 9, 16, 3];
const buffer = (name: string, elements: number, access: KernelBuffer["access"]): KernelBuffer => ({
  name,
  dtype: "f32",
  elements,
  access,
  scope: "program",
});
const x = buffer("x", panels * width, "read");
const out = buffer("out", groups * height * panels * width, "write");
const scratch: KernelBuffer = { ...buffer("scratch", width, "readwrite"), scope: "thread" };

type Body = (b: KernelBuilder, panel: Affine, group: Affine) => void;

/** Prepares twice a panel of x, then each group adds to it the number of each of its rows. */
function kernelOf(prepare: (b: KernelBuilder, panel: Affine) => void, body: Body): Kernel {
  const b = new KernelBuilder();
  b.parallel("panel", panels, (panel) => {
    prepare(b, panel);
    b.parallel("group", groups, (group) => body(b, panel, group));
  });
  return {
    name: "panels of groups",
    buffers: [x, out, scratch],
    parameters: [],
    body: b.statements,
    cost: { flop: 1, bytes: 1 },
  };
}

const at = (panel: Affine, row: Affine, lane: Affine): Affine =>
  addAffine(addAffine(scaleAffine(panel, width), lane), scaleAffine(row, panels * width));

const prepare = (b: KernelBuilder, panel: Affine): void =>
  b.vector("lane", width, (lane) => {
    const value = b.load(x, addAffine(scaleAffine(panel, width), lane));
    b.store(scratch, lane, b.binary("add", value, value));
  });

const work: Body = (b, panel, group) =>
  b.serial("row", height, (row) =>
    b.vector("lane", width, (lane) => {
      const place = addAffine(scaleAffine(group, height), row);
      const number = b.convert("f32", b.index(place));
      b.store(out, at(panel, place, lane), b.binary("add", b.load(scratch, lane), number));
    }),
  );

const arrays = (threads: number) => [
  Float32Array.from({ length: panels * width }, (_, i) => i / 7),
  new Float32Array(groups * height * panels * width),
  new Float32Array(width * threads).fill(Number.NaN),
];

function expectedOf(kernel: Kernel): Float32Array {
  const own = arrays(1);
  evaluateKernel(kernel, { buffers: own, fused: true });
  return own[1]!;
}

describe("a parallel loop in a parallel loop", () => {
  const kernel = kernelOf(prepare, work);

  it("is what the serial loops are", () => {
    verifyKernel(kernel);
    const want = expectedOf(kernel);
    expect([...want.slice(0, 2)]).toEqual([0, Math.fround(Math.fround(1 / 7) * 2)]);
    const own = arrays(1);
    runWasmKernel(kernel, own);
    expect(own[1]).toEqual(want);
  });

  it.skipIf(nativeDevices.length === 0).each([1, 2, 3, 4, 7])("runs on %i threads", (threads) => {
    const want = expectedOf(kernel);
    for (const isa of nativeDevices.length > 1 ? [avx2, avx512] : [avx2])
      for (let repetition = 0; repetition < 20; repetition++) {
        const own = arrays(threads);
        runNativeKernel(kernel, own, { isa, threads });
        expect(own[1]).toEqual(want);
      }
  });

  it("is refused where threads could tell who ran what", () => {
    const reason = (bad: Kernel): string => {
      try {
        verifyKernel(bad);
        return "verifies";
      } catch (error) {
        return (error as Error).message.split("\n")[0]!;
      }
    };
    const zero = (b: KernelBuilder) => b.constant("f32", 0);
    expect(reason(kernelOf((b) => b.store(scratch, constantAffine(0), zero(b)), work))).toMatch(
      /before a parallel loop in a parallel loop stand only loops/,
    );
    expect(
      reason(
        kernelOf(
          (b, panel) =>
            b.vector("lane", width, (lane) => b.store(out, at(panel, constantAffine(0), lane), zero(b))),
          work,
        ),
      ),
    ).toMatch(/preparing writes out, which threads share/);
    const clearing: Body = (b, panel, group) => {
      work(b, panel, group);
      b.vector("lane", width, (lane) => b.store(scratch, lane, zero(b)));
    };
    expect(reason(kernelOf(prepare, clearing))).toMatch(/scratch is prepared and then written/);
    const meeting: Body = (b, panel) =>
      b.vector("lane", width, (lane) => b.store(out, at(panel, constantAffine(0), lane), zero(b)));
    expect(reason(kernelOf(prepare, meeting))).toMatch(/two iterations of group may meet in out/);
    const deeper: Body = (b, panel, group) =>
      b.parallel("deeper", 1, () => b.parallel("deepest", 1, () => work(b, panel, group)));
    expect(reason(kernelOf(prepare, deeper))).toMatch(
      /a parallel loop is outermost in its kernel, or directly/,
    );
  });
});
