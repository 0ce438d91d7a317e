/** Training for long leaves memory flat: neither the JavaScript heap nor the device's memory grows with steps. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { root } from "./source.ts";
import { byTier } from "./tier.ts";

/** Trains in its own process, so that what the test runner holds is not measured; prints resident bytes, in ten samples. */
const program = `
import { compile, grad } from "netwright";
import { crossEntropy } from "netwright/losses";
import { Linear, ReLU, Sequential } from "netwright/nn";
import { Adam } from "netwright/optim";

const steps = Number(process.argv[1]);
const model = new Sequential(new Linear(784, 64), new ReLU(), new Linear(64, 10));
const optimizer = new Adam(model.parameters());
const step = compile((images, labels) => {
  const loss = crossEntropy(model.forward(images), labels);
  optimizer.step(grad(loss, optimizer.parameters));
  return loss;
});
const images = { dtype: "f32", shape: [32, 784], data: new Float32Array(32 * 784).map((_, i) => (i % 97) / 97) };
const labels = { dtype: "i32", shape: [32], data: Int32Array.from({ length: 32 }, (_, i) => i % 10) };
const resident = [];
for (let i = 1; i <= steps; i++) {
  const loss = await step(images, labels).item();
  if (!Number.isFinite(loss)) throw new Error("loss " + loss);
  if (i % (steps / 10) === 0) {
    globalThis.gc();
    resident.push(process.memoryUsage.rss());
    await new Promise((resolve) => setImmediate(resolve));
  }
}
console.log(JSON.stringify(resident));
`;

const steps = byTier(2000, 10_000);

test.each(byTier(["cpu"], ["cpu", "wasm"]))(
  `${steps} steps leave resident memory flat, target %s`,
  (target) => {
    if (!existsSync(join(root, "dist")))
      throw new Error("the package is not built: npm run build, or npm test");
    const args = ["--expose-gc", "--input-type=module", "--eval", program, "--", String(steps)];
    const { stdout, stderr, status } = spawnSync(process.execPath, args, {
      cwd: root,
      encoding: "utf8",
      env: { ...process.env, NETWRIGHT_TARGET: target },
    });
    expect(status, stderr).toBe(0);
    const resident = JSON.parse(stdout) as number[];
    // The first tenth is for compilers and caches.
    const growth = Math.max(...resident.slice(5)) - Math.max(...resident.slice(1, 5));
    expect(growth).toBeLessThan(8 * 2 ** 20);
  },
  300_000,
);
