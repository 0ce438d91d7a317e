/**
 * Handwritten digits in a web page: the same network and the same bits as `examples/mnist.ts` in Node.
 *
 *     npm run browser                                   then open the address it prints
 *     …/?epochs=3&threads=2&seed=1                      what the page reads from its address
 *     …/?weights=mnist.safetensors                      begins with a saved model
 *     …/?data=digits                                    reads other files of digits than MNIST's
 *
 * When it has learnt, it reads what is drawn.
 *
 * Threads need a page that is isolated from others (two headers; `vite.config.ts` sends them); without it one thread works.
 */
import { device, seed as setSeed, setTarget, setThreads, tensor } from "netwright";
import { load, serialize, weightsSha256 } from "netwright/checkpoint";
import { mnist } from "netwright/data";
import { crossEntropy } from "netwright/losses";
import { accuracy } from "netwright/metrics";
import { Linear, ReLU, Sequential } from "netwright/nn";
import { adam } from "netwright/optim";
import { evaluate, fit } from "netwright/train";
import { readDrawings } from "./drawing.ts";

const element = <E extends HTMLElement>(id: string): E => document.getElementById(id) as E;
const say = (text: string): void => void (element("status").textContent = text);
const percent = (part: number): string => `${(100 * part).toFixed(2)} %`;

const wishes = new URLSearchParams(location.search);
const epochs = Number(wishes.get("epochs") ?? 3);
const seed = Number(wishes.get("seed") ?? 0);

setTarget("wasm");
if (wishes.has("threads")) setThreads(Number(wishes.get("threads")));
setSeed(seed);

const makeModel = () =>
  new Sequential(new Linear(784, 64), new ReLU(), new Linear(64, 64), new ReLU(), new Linear(64, 10));

async function main(): Promise<void> {
  const { train, test } = await mnist({
    directory: new URL(wishes.get("data") ?? "/mnist", location.href).href,
  });
  const model = makeModel();
  const weights = wishes.get("weights");
  if (weights !== null) await load(model, new URL(weights, location.href).href);
  const { target, threads } = device();
  await fit(model, train, {
    // Nobody would see what is found in the data before the first step: MNIST is known, and the page need not load what looks.
    ...{ validation: test, epochs, seed, progress: "none", checks: false },
    ...{ loss: crossEntropy, optimizer: adam(), metrics: [accuracy] },
    callbacks: [
      {
        onStepEnd({ stepOfEpoch, loss }, { epoch, stepsPerEpoch }) {
          if (stepOfEpoch % 64 > 0 && stepOfEpoch < stepsPerEpoch) return;
          element<HTMLProgressElement>("progress").value = (epoch - 1 + stepOfEpoch / stepsPerEpoch) / epochs;
          say(`epoch ${epoch} of ${epochs}, loss ${loss.toFixed(4)} (${target}, ${threads} threads)`);
        },
        onEpochEnd({ epoch, scores, seconds }) {
          const cells = [String(epoch), scores.loss!.toFixed(4), percent(scores.accuracy!)];
          addRow(...cells, percent(scores.validationAccuracy!), seconds.toFixed(2));
        },
      },
    ],
  });

  const digits = Array.from({ length: 20 }, (_, i) => test.sample(i));
  const logits = model.forward(tensor(digits.map(({ images }) => Array.from(images))));
  const guesses = await logits.argmax(-1).data();
  digits.forEach(({ images, labels }, i) => void drawDigit(images, Number(guesses[i]), Number(labels)));

  const board = readDrawings(model, element<HTMLCanvasElement>("field"), element("answer"));
  element("clear").onclick = board.clear;
  element("drawing").hidden = false;

  // The file that `save` writes in Node, as a download; and back.
  const bytes = await serialize(model);
  offerDownload(bytes, "mnist.safetensors");
  const restored = makeModel();
  await load(restored, bytes);
  const sha256 = await weightsSha256(model);
  if ((await weightsSha256(restored)) !== sha256) throw new Error("the file holds other weights");

  const { accuracy: right } = await evaluate(model, test, { loss: crossEntropy, metrics: [accuracy] });
  say(`done: ${percent(right!)} of unseen digits are right (${target}, ${threads} threads)`);
  Object.assign(document.body.dataset, { sha256, target, threads });
}

function addRow(...cells: string[]): void {
  const row = element<HTMLTableSectionElement>("epochs").insertRow();
  for (const cell of cells) row.insertCell().textContent = cell;
}

/** 28 × 28 pixels from 0 to 1. */
function drawDigit(pixels: ArrayLike<number>, guess: number, label: number): void {
  const canvas = Object.assign(document.createElement("canvas"), { width: 28, height: 28 });
  const image = new ImageData(28, 28);
  for (let i = 0; i < 784; i++) image.data.set([0, 0, 0, 255 * pixels[i]!], 4 * i);
  canvas.getContext("2d")!.putImageData(image, 0, 0);
  const caption = document.createElement("figcaption");
  caption.textContent = guess === label ? `${guess}` : `${guess}, not ${label}`;
  const figure = document.createElement("figure");
  if (guess !== label) figure.className = "wrong";
  figure.append(canvas, caption);
  element("digits").append(figure);
}

function offerDownload(bytes: Uint8Array, name: string): void {
  const link = element<HTMLAnchorElement>("download");
  link.href = URL.createObjectURL(new Blob([new Uint8Array(bytes)]));
  link.download = name;
  link.hidden = false;
}

main().catch((error: Error) => {
  say(error.message);
  document.body.dataset.error = error.stack ?? error.message;
});
