/** How fast JPEG files become training samples of ImageNet's kind: Netwright's `vision` and torchvision over Pillow, one process each, in turn. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { encodeImage, type Image, resize } from "netwright/vision";
import type { Command } from "./child.ts";
import { Reader, type ReaderSample } from "./reader.ts";
import { table } from "./report.ts";
import { summarize } from "./statistics.ts";

const count = 48;
const [height, width] = [375, 500];

interface Sample extends ReaderSample {
  readonly images: number;
}

/** A picture with structure at every size, as photographs have: noise of six sizes, the larger the stronger. */
function picture(seed: number): Image {
  let state = seed;
  const random = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  const sum = new Float32Array(height * width * 3);
  for (let octave = 1; octave <= 6; octave++) {
    const [h, w] = [Math.ceil(height / 2 ** (octave - 1)), Math.ceil(width / 2 ** (octave - 1))];
    const data = Float32Array.from({ length: h * w * 3 }, () => (random() - 0.5) * 18 * octave);
    const layer = resize([height, width], { interpolation: "bicubic" })({
      dtype: "f32",
      shape: [h, w, 3],
      data,
    });
    for (let i = 0; i < sum.length; i++) sum[i] += layer.data[i];
  }
  const data = new Uint8Array(Uint8ClampedArray.from(sum, (value) => 128 + value));
  return { dtype: "u8", shape: [height, width, 3], data };
}

async function writePictures(folder: string): Promise<void> {
  for (let i = 0; i < count; i++)
    writeFileSync(join(folder, `${i}.jpg`), await encodeImage(picture(i), { format: "jpeg", quality: 90 }));
}

/** Prints the table. Without torchvision Netwright is measured alone. */
export async function measureImages(rounds: number): Promise<void> {
  const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
  const python = here("../../bench/peers/venv/bin/python");
  const ours = here("./netwright/image-pipeline.js");
  const commands = new Map<string, Command>([
    ["Netwright", { file: process.execPath, args: [ours] }],
    ["Netwright, loader", { file: process.execPath, args: [ours, "loader"] }],
  ]);
  if (existsSync(python)) {
    commands.set("torchvision", {
      file: python,
      args: [here("../../bench/peers/python/torchvision_pipeline.py")],
    });
  }
  const folder = mkdtempSync(join(tmpdir(), "netwright-bench-images-"));
  const readers = new Map([...commands].map(([name, command]) => [name, new Reader<Sample>(command)]));
  try {
    await writePictures(folder);
    const samples = new Map([...readers.keys()].map((name): [string, Sample[]] => [name, []]));
    // Three rounds warm up: the file cache, the compiler.
    for (let round = -3; round < rounds; round++) {
      for (const [name, reader] of readers) {
        const sample = await reader.sample(folder);
        if (sample.images !== count) throw new Error(`${name} made ${sample.images} images of ${count}`);
        if (round >= 0) samples.get(name)!.push(sample);
      }
    }
    const lines = [...samples].map(([name, list]) => {
      const perSecond = summarize(list.map(({ seconds }) => count / seconds));
      const perCpu = summarize(list.map(({ cpuSeconds }) => count / cpuSeconds));
      const spread = `${perCpu.minimum.toFixed(0)}–${perCpu.maximum.toFixed(0)}`;
      return [name, perCpu.median.toFixed(0), spread, perSecond.median.toFixed(0)];
    });
    const header = ["pipeline", "images a second of processor", "spread", "images/s"];
    console.log(`\n## image-pipeline\n\n${table(header, lines)}`);
  } finally {
    for (const reader of readers.values()) reader.close();
    rmSync(folder, { recursive: true, force: true });
  }
}
