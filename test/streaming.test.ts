/** Data larger than memory streams through training: what is resident does not grow with the data. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, expect, test } from "vitest";
import { root } from "./source.ts";
import { fullTest } from "./tier.ts";

const folder = mkdtempSync(join(tmpdir(), "netwright-streaming-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Shards whose samples are zeros that take no room on the disk: files with holes. Then one epoch over all of them. */
const script = (megabytes: number): string => `
  import { closeSync, ftruncateSync, mkdirSync, openSync, statSync, writeFileSync, writeSync } from "node:fs";
  import { join } from "node:path";
  const at = (room) => ${JSON.stringify(pathToFileURL(join(root, "dist")).href)} + "/" + room + "/index.js";
  const { shards } = await import(at("data"));
  const { Linear } = await import(at("nn"));
  const { crossEntropy } = await import(at("losses"));
  const { sgd } = await import(at("optim"));
  const { fit } = await import(at("train"));
  const folder = ${JSON.stringify(join(folder, String(megabytes)))};
  mkdirSync(folder);
  const [size, blockSamples] = [12288, 85];
  const samples = Math.floor(${megabytes} * 1e6 / size);
  const perShard = blockSamples * 128;
  const list = [];
  for (let first = 0; first < samples; first += perShard) {
    const count = Math.min(perShard, samples - first);
    const labels = 4 * count;
    const header = Buffer.from(JSON.stringify({
      labels: { dtype: "I32", shape: [count], data_offsets: [0, labels] },
      images: { dtype: "U8", shape: [count, size], data_offsets: [labels, labels + count * size] },
    }));
    const padded = Buffer.concat([header, Buffer.alloc((8 - (header.length % 8)) % 8, 32)]);
    const length = Buffer.alloc(8);
    length.writeUInt32LE(padded.length);
    const file = "shard-" + list.length + ".safetensors";
    const handle = openSync(join(folder, file), "w");
    writeSync(handle, Buffer.concat([length, padded]));
    ftruncateSync(handle, 8 + padded.length + labels + count * size);
    closeSync(handle);
    list.push({ file, samples: count, bytes: statSync(join(folder, file)).size });
  }
  writeFileSync(join(folder, "index.json"), JSON.stringify({
    format: "netwright-shards", version: 1, samples, blockSamples, tag: "",
    columns: {
      images: { dtype: "f32", shape: [size], stored: { dtype: "u8", divideBy: 255 } },
      labels: { dtype: "i32", shape: [] },
    },
    shards: list,
  }));
  const data = await shards(folder, { memoryBytes: 2 ** 24 });
  const history = await fit(new Linear(size, 10), data, {
    loss: crossEntropy, optimizer: sgd({ learningRate: 0.01 }), batchSize: 256, progress: "none",
  });
  const peakBytes = process.resourceUsage().maxRSS * 1024;
  console.log(JSON.stringify({ samples, loss: history.series("loss")[0], peakBytes }));
`;

interface Outcome {
  readonly samples: number;
  readonly loss: number;
  readonly peakBytes: number;
}

function stream(megabytes: number): Outcome {
  const file = join(folder, `stream-${megabytes}.mjs`);
  writeFileSync(file, script(megabytes));
  const { stdout, stderr, status } = spawnSync(process.execPath, [file], { encoding: "utf8" });
  expect(status, stderr).toBe(0);
  return JSON.parse(stdout) as Outcome;
}

test("eight times the data needs no more memory", { timeout: 120_000 }, () => {
  const [small, large] = [stream(20), stream(160)];
  expect(large.samples).toBe(13_020);
  expect(large.loss).toBeGreaterThan(0);
  expect(large.peakBytes - small.peakBytes).toBeLessThan(60e6);
});

fullTest(
  "10 GB stream through training in less than 1 GB",
  () => {
    const { samples, peakBytes } = stream(10_000);
    expect(samples).toBe(813_802);
    expect(peakBytes).toBeLessThan(1e9);
  },
  1_800_000,
);
