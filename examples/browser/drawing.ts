/** A field to draw a digit in, by mouse, pen or finger; each stroke is read as it is drawn. */
import { compile, type Tensor, tensor } from "netwright";
import type { Module } from "netwright/nn";

const [fieldSize, digitSize, imageSize] = [280, 20, 28];

/** @param field a canvas of 280 × 280; @param answer shows what the model reads */
export function readDrawings(
  model: Module,
  field: HTMLCanvasElement,
  answer: HTMLElement,
): { clear(): void } {
  const ink = field.getContext("2d", { willReadFrequently: true })!;
  Object.assign(ink, { lineWidth: 22, lineCap: "round", lineJoin: "round" });
  const read = compile((image: Tensor) => (model.forward(image) as Tensor).softmax(-1));

  let isReading = false;
  let isChanged = false;
  /** What is drawn while an answer is worked out is read after it. */
  async function answerNow(): Promise<void> {
    isChanged = true;
    if (isReading) return;
    isReading = true;
    while (isChanged) {
      isChanged = false;
      const image = imageOf(ink);
      if (image === undefined) show(answer, undefined);
      else show(answer, [...(await read(tensor(image, { shape: [1, 784] })).data())].map(Number));
    }
    isReading = false;
  }

  field.addEventListener("pointerdown", ({ pointerId, offsetX, offsetY }) => {
    field.setPointerCapture(pointerId);
    ink.beginPath();
    ink.moveTo(offsetX, offsetY);
  });
  field.addEventListener("pointermove", ({ buttons, offsetX, offsetY }) => {
    if (buttons === 0) return;
    ink.lineTo(offsetX, offsetY);
    ink.stroke();
    void answerNow();
  });
  return {
    clear() {
      ink.clearRect(0, 0, fieldSize, fieldSize);
      void answerNow();
    },
  };
}

/**
 * The drawing as MNIST has its digits: the longer side 20 pixels, the centre of mass in the middle of 28 × 28, from 0 to 1. Undefined
 * where nothing is drawn.
 */
function imageOf(ink: CanvasRenderingContext2D): Float32Array<ArrayBuffer> | undefined {
  const drawn = opacities(ink, fieldSize);
  let [left, top, right, bottom] = [fieldSize, fieldSize, 0, 0];
  for (const [i, opacity] of drawn.entries()) {
    if (opacity < 0.5) continue;
    const [x, y] = [i % fieldSize, Math.floor(i / fieldSize)];
    [left, right] = [Math.min(left, x), Math.max(right, x + 1)];
    [top, bottom] = [Math.min(top, y), Math.max(bottom, y + 1)];
  }
  if (right <= left) return undefined;
  const [width, height] = [right - left, bottom - top];
  const scale = digitSize / Math.max(width, height);
  const canvas = Object.assign(document.createElement("canvas"), { width: imageSize, height: imageSize });
  const small = canvas.getContext("2d")!;
  small.imageSmoothingQuality = "high";
  const place = (dx: number, dy: number): Float32Array<ArrayBuffer> => {
    const [w, h] = [width * scale, height * scale];
    small.clearRect(0, 0, imageSize, imageSize);
    small.drawImage(
      ink.canvas,
      left,
      top,
      width,
      height,
      (imageSize - w) / 2 + dx,
      (imageSize - h) / 2 + dy,
      w,
      h,
    );
    return opacities(small, imageSize);
  };
  const middle = place(0, 0);
  let [mass, x, y] = [0, 0, 0];
  for (const [i, opacity] of middle.entries()) {
    mass += opacity;
    x += opacity * ((i % imageSize) + 0.5);
    y += opacity * (Math.floor(i / imageSize) + 0.5);
  }
  return place(Math.round(imageSize / 2 - x / mass), Math.round(imageSize / 2 - y / mass));
}

/** How much ink each pixel has, from 0 to 1. */
function opacities(context: CanvasRenderingContext2D, size: number): Float32Array<ArrayBuffer> {
  const { data } = context.getImageData(0, 0, size, size);
  return Float32Array.from({ length: size * size }, (_, i) => data[4 * i + 3]! / 255);
}

/** The surest digit, and how sure all are. */
function show(answer: HTMLElement, probabilities: readonly number[] | undefined): void {
  if (probabilities === undefined) {
    answer.replaceChildren("draw a digit");
    return;
  }
  const best = probabilities.indexOf(Math.max(...probabilities));
  const title = Object.assign(document.createElement("strong"), { textContent: String(best) });
  const bars = probabilities.map((probability, digit) => {
    const row = document.createElement("label");
    const bar = Object.assign(document.createElement("meter"), { value: probability });
    row.append(`${digit} `, bar);
    return row;
  });
  answer.replaceChildren(title, ...bars);
}
