/**
 * Makes training samples of the JPEG files of each folder that comes in, and answers how long it took: one after the other in the same memory, or
 * with the argument "loader" as batches of a loader.
 */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { loader } from "netwright/data";
import { augment, imageFiles, normalize, randomFlip, randomResizedCrop } from "netwright/vision";
import sharp from "sharp";

// One thread to an image, as a loader with many images at a time wants it.
sharp.concurrency(1);
const change = augment(randomResizedCrop(224), randomFlip(), normalize());

async function inTurn(folder: string): Promise<number> {
  let images = 0;
  const into = new Float32Array(3 * 224 * 224);
  for (const [key, name] of readdirSync(folder).entries()) {
    const image = await change.read(join(folder, name), key, { into });
    if (image.data === into) images++;
  }
  return images;
}

async function inBatches(folder: string): Promise<number> {
  let images = 0;
  const files = await imageFiles(folder, { transform: change });
  for await (const batch of loader(files, { batchSize: 8, shuffle: true })) images += batch.images.shape[0];
  return images;
}

const makeSamples = process.argv[2] === "loader" ? inBatches : inTurn;
for await (const folder of createInterface({ input: process.stdin })) {
  const [start, cpu] = [performance.now(), process.cpuUsage()];
  const images = await makeSamples(folder);
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  console.log(JSON.stringify({ images, seconds, cpuSeconds: (user + system) / 1e6 }));
}
