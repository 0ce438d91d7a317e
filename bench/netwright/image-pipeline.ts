/** Makes training samples of the JPEG files of each folder that comes in, and answers how long it took. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { augment, normalize, randomFlip, randomResizedCrop } from "netwright/vision";
import sharp from "sharp";

// One thread to an image, as a loader with many images at a time wants it.
sharp.concurrency(1);
const change = augment(randomResizedCrop(224), randomFlip(), normalize());

for await (const folder of createInterface({ input: process.stdin })) {
  const paths = readdirSync(folder).map((name) => join(folder, name));
  const [start, cpu] = [performance.now(), process.cpuUsage()];
  let images = 0;
  for (const [key, path] of paths.entries()) {
    const image = await change.read(path, key);
    if (image.data.length === 3 * 224 * 224) images++;
  }
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  console.log(JSON.stringify({ images, seconds, cpuSeconds: (user + system) / 1e6 }));
}
