/** The targets' own code for transcendental functions, over every f32 where an error can arise (full tier), and their page. */
import { describe, expect, test } from "vitest";
import { readText } from "../../test/source.ts";
import { fullTest } from "../../test/tier.ts";
import { Trace, withTrace } from "../graph/trace.ts";
import { parameter } from "../ops/index.ts";
import type { Device } from "../runtime/device.ts";
import { createWasmDevice } from "../runtime/wasm-device.ts";
import { accuracyPage, type Measured, measuredIn } from "./accuracy-page.ts";
import { type AccuracyRow, accuracyRows } from "./accuracy-rows.ts";
import { nativeDevices } from "./native-targets.ts";
import { ulpError } from "./ulp.ts";

const devices: readonly Device[] = [createWasmDevice(), ...nativeDevices];
const chunk = 2 ** 20;

const described = ({ name, arithmetic }: Device) => ({ name, arithmetic });

/** What this run found, by function. */
const measured = new Map<string, Measured>();

/** The function compiled on every device, for a chunk of numbers at a time. */
function compileEverywhere({ name, build }: AccuracyRow) {
  const fn = withTrace(new Trace("compiled"), () => {
    const x = parameter({ shape: [chunk], dtype: "f32" });
    return { name, parameters: [x], results: [build(x)], assignments: [] };
  });
  return devices.map((device) => ({ ...described(device), executable: device.compile(fn), worst: 0, at: 0 }));
}

/** Bit patterns of the magnitudes from low to high. */
function bitsOf(low: number, high: number): [number, number] {
  const bits = new Uint32Array(Float32Array.of(low, high).buffer);
  return [bits[0]!, bits[1]!];
}

describe("every f32, on every target", () => {
  for (const row of accuracyRows) {
    fullTest(
      row.name,
      () => {
        const compiled = compileEverywhere(row);
        const [first, last] = bitsOf(row.low, row.high);
        const bits = new Uint32Array(chunk);
        const x = new Float32Array(bits.buffer);
        const want = new Float64Array(chunk);
        for (const sign of [0, 0x80000000]) {
          for (let start = first; start <= last; start += chunk) {
            for (let i = 0; i < chunk; i++) bits[i] = sign + Math.min(start + i, last);
            for (let i = 0; i < chunk; i++) want[i] = row.reference(x[i]!);
            for (const target of compiled) {
              const [result] = target.executable.run([{ dtype: "f32", shape: [chunk], data: x }]);
              const got = result!.readSync();
              result!.release();
              for (let i = 0; i < chunk; i++) {
                if (Math.fround(want[i]!) === got[i]!) continue;
                const error = ulpError(got[i]!, want[i]!);
                if (error > target.worst) Object.assign(target, { worst: error, at: x[i]! });
              }
            }
          }
        }
        for (const { name, worst, at } of compiled) {
          console.log(`${row.name} on ${name}: ${worst.toFixed(4)} ulp at ${at}`);
          expect(worst, `${name} at ${at}`).toBeLessThanOrEqual(row.ulp);
        }
        const worstOf = (arithmetic: string): number =>
          Math.max(0, ...compiled.filter((target) => target.arithmetic === arithmetic).map((t) => t.worst));
        measured.set(row.name, { once: worstOf("x64"), twice: worstOf("wasm") });
        for (const { executable } of compiled) executable.dispose();
      },
      1_800_000,
    );
  }

  fullTest("the page says what was measured: --update renews it", async (context) => {
    context.skip(nativeDevices.length === 0, "machine code does not run here");
    await expect(accuracyPage(measured)).toMatchFileSnapshot("../../docs/elementary-functions.md");
  });
});

describe("docs/elementary-functions.md", () => {
  const page = (): string => readText("docs/elementary-functions.md");

  test("states every function, within what is promised", () => {
    const stated = measuredIn(page());
    expect([...stated.keys()]).toEqual(accuracyRows.map(({ name }) => name));
    for (const { name, ulp } of accuracyRows) {
      const { once, twice } = stated.get(name)!;
      expect(Math.max(once, twice), name).toBeLessThanOrEqual(ulp);
      // A promise is the measured worst rounded up, no more.
      expect(Math.max(once, twice), name).toBeGreaterThan(ulp - 0.1);
    }
  });
  test("is the page that these figures give", () => {
    expect(page()).toBe(accuracyPage(measuredIn(page())));
  });
});
