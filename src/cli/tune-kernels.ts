/** `netwright tune-kernels`: searches for the tiles of products that are fastest on this machine, and keeps them. */
import { tuneKernels as tune } from "#native";
import { write } from "#platform";
import { ArgumentError, PlatformError } from "../base/errors.ts";
import type { PlainProduct } from "../compiler/contraction/choices.ts";
import type { TileChoice } from "../ir/target.ts";
import type { ParsedFlags } from "../platform/platform.ts";
import { chosenDevice } from "../runtime/devices.ts";
import type { TunedProduct, TuneReport } from "../runtime/x64/tune.ts";
import type { Command } from "./command.ts";

const defaultShapes = [
  "32x784x64",
  "128x128x128",
  "256x256x256",
  "512x512x512",
  "1024x1024x1024",
  "64x768x768",
  "768x128x512",
  "64x64x32x64",
];
const defaultSeconds = 60;
const forms = ["nn", "tn", "nt"] as const;
/** Beyond this a product's operands and result would take more than 3 GiB. */
const mostElements = 2 ** 28;

export const tuneKernels: Command = {
  summary: "searches for the fastest tiles of matrix products on this machine, and keeps them",
  usage: `netwright tune-kernels [--shapes LIST] [--seconds N] [--json]

  --shapes   products to tune, as ROWSxDEPTHxCOLUMNS or BATCHxROWSxDEPTHxCOLUMNS, with commas between them;
             :nn, :tn or :nt after one is a single form (t: that operand is stored transposed), else all three
             default: ${defaultShapes.join(",")}
  --seconds  how long to search, for all together (default ${defaultSeconds})
  --json     one JSON object instead of a table

Later programs use what is kept (NETWRIGHT_TILES is the folder, 0 uses none). Results of products stay the same to the
last bit. Stop other work on the machine first.`,
  flags: { shapes: { type: "string" }, seconds: { type: "string" }, json: { type: "boolean" } },
  run({ values }) {
    const products = productsOf(textOf(values["shapes"]) ?? defaultShapes.join(","));
    const seconds = secondsOf(textOf(values["seconds"]) ?? `${defaultSeconds}`);
    const { device, fallback } = chosenDevice();
    if (!device.name.startsWith("x64"))
      throw new PlatformError(
        `tune-kernels: tiles are machine code's, and what computes here is ${device.name}` +
          (fallback === undefined ? "" : `: ${fallback}`),
      );
    const isJson = values["json"] === true;
    if (!isJson) write("stdout", heading(products));
    const report = tune({
      products,
      seconds,
      threads: device.threads,
      ...(device.name === "x64-avx2" && { instructionSet: "avx2" }),
      onProduct: (product) => {
        if (!isJson) write("stdout", rowOf(product, products));
      },
    });
    write("stdout", isJson ? `${JSON.stringify(report)}\n` : `\n${summaryOf(report)}\n`);
    return 0;
  },
};

const textOf = (value: ParsedFlags["values"][string]): string | undefined =>
  typeof value === "string" ? value : undefined;

function secondsOf(text: string): number {
  const seconds = Number(text);
  if (text.trim() !== "" && seconds > 0 && Number.isFinite(seconds)) return seconds;
  throw new ArgumentError(`tune-kernels: --seconds "${text}" is no time; give a number above 0`);
}

/** "512x512x512,64x32x784:nt" as products. */
export function productsOf(list: string): readonly PlainProduct[] {
  const products = list
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "")
    .flatMap(productOf);
  if (products.length === 0)
    throw new ArgumentError(
      `tune-kernels: --shapes "${list}" names no product; give for example 512x512x512`,
    );
  return products;
}

function productOf(text: string): readonly PlainProduct[] {
  const [sizes, form, ...more] = text.split(":") as [string, ...string[]];
  const numbers = sizes.split("x").map(Number);
  const areSizes = /^\d+(x\d+){2,3}$/.test(sizes) && numbers.every((n) => n > 0);
  if (!areSizes || more.length > 0)
    throw new ArgumentError(
      `tune-kernels: "${text}" is no product; give ROWSxDEPTHxCOLUMNS, as 512x784x64, or with a batch before it, as 16x64x32x64`,
    );
  if (form !== undefined && !forms.includes(form as (typeof forms)[number]))
    throw new ArgumentError(`tune-kernels: "${form}" in "${text}" is no form; forms are ${forms.join(", ")}`);
  const [batch, rows, depth, columns] = (numbers.length === 3 ? [1, ...numbers] : numbers) as [
    ...[number, number, number, number],
  ];
  if (batch * Math.max(rows * depth, depth * columns, rows * columns) > mostElements)
    throw new ArgumentError(
      `tune-kernels: "${text}" is too large: a matrix of it has more than 2^28 elements`,
    );
  return (form === undefined ? forms : [form as (typeof forms)[number]]).map((own) => ({
    ...{ batch, rows, depth, columns },
    form: own,
  }));
}

// ---- the table --------------------------------------------------------------------------------------------------

const nameOf = ({ batch, rows, depth, columns, form }: PlainProduct): string =>
  `${batch > 1 ? `${batch}x` : ""}${rows}x${depth}x${columns}:${form}`;

const widthOf = (products: readonly PlainProduct[]): number =>
  Math.max("product".length, ...products.map((product) => nameOf(product).length));

const line = (first: string, width: number, cells: readonly string[], last: string): string =>
  `${first.padEnd(width)}  ${cells.map((cell) => cell.padStart(9)).join("  ")}  ${last}\n`;

const heading = (products: readonly PlainProduct[]): string =>
  line("product", widthOf(products), ["estimated", "best", "of loop", "tried"], "tiles");

const rowOf = (product: TunedProduct, all: readonly PlainProduct[]): string =>
  line(
    nameOf(product),
    widthOf(all),
    [
      product.estimated.toFixed(1),
      product.best.toFixed(1),
      `${Math.round(100 * product.share)} %`,
      `${product.tried}/${product.choices}`,
    ],
    choiceText(product.choice),
  );

function choiceText(choice: TileChoice | undefined): string {
  if (choice === undefined) return "as estimated";
  const { height, groups, isExchanged, packsLeft, packsRight } = choice;
  const packed = [packsLeft ? "broadcast" : "", packsRight ? "vectors" : ""].filter((name) => name !== "");
  const packs = packed.length === 0 ? "nothing packed" : `${packed.join(" and ")} packed`;
  return `${height} × ${groups} vectors, ${packs}${isExchanged ? ", operands exchanged" : ""}`;
}

function summaryOf({ instructionSet, threads, products, seconds, kept }: TuneReport): string {
  const changed = products.filter(({ choice }) => choice !== undefined).length;
  const where = "file" in kept ? `kept in ${kept.file}` : `not kept: ${kept.reason}`;
  return (
    `GFLOP/s, ${instructionSet}, ${threads} thread${threads === 1 ? "" : "s"}, ${seconds.toFixed(1)} s; ` +
    `other tiles than estimated for ${changed} of ${products.length}, ${where}`
  );
}
