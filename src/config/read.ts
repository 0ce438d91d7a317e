/** Configs from files: JSON, YAML, or a module that exports one. */
import { importModule, readFile, sha256 } from "#platform";
import { ArgumentError, FormatError } from "../base/errors.ts";
import { optionalPackage } from "../base/optional.ts";
import {
  anything,
  boolean,
  checkObject,
  fraction,
  list,
  object,
  oneOf,
  positive,
  positiveInteger,
  type Rule,
  text,
  texts,
  wholeNumber,
} from "./check.ts";
import type { TrainConfig } from "./define.ts";
import { at, isPlain, type Place } from "./named.ts";

/** A config with where it came from. */
export interface ConfigFile {
  readonly path: string;
  /** Of the file itself. */
  readonly sha256: string;
  /** What was changed on the command line: `fit.epochs=3`. */
  readonly set: readonly string[];
  readonly config: TrainConfig;
}

/** A config is written by a person: more is a mistake. */
const largestBytes = 16 * 2 ** 20;

/**
 * Reads a config, applies changes, and checks it. A module (.ts, .js, .mjs) is run: its default export is the config, or what it
 * exports by name (`data`, `model`, `fit` …). JSON and YAML are data alone.
 *
 * @param set changes such as `fit.epochs=3`; the part behind = is JSON where it can be, else a text
 * @throws FileError, FormatError for what cannot be read; ArgumentError naming the key that is not allowed, and the nearest one
 * @example
 * await readConfig("no-such.json").catch((error: Error) => error.name); // "FileError"
 */
export async function readConfig(path: string, set: readonly string[] = []): Promise<ConfigFile> {
  const bytes = await readFile(path);
  const given = await contentOf(path, bytes);
  const config = set.reduce((before, change) => changed(path, before, change), given);
  checkConfig({ file: path, key: "" }, config);
  return { path, sha256: sha256().update(bytes).hex(), set, config: config as unknown as TrainConfig };
}

type Content = Readonly<Record<string, unknown>>;

async function contentOf(path: string, bytes: Uint8Array): Promise<Content> {
  if (/\.[cm]?[jt]s$/.test(path)) return exported(path, await importModule(path));
  if (bytes.length > largestBytes)
    throw new FormatError(`"${path}" has ${bytes.length} bytes: that is no config`);
  const content = await parsed(path, new TextDecoder().decode(bytes));
  if (isPlain(content)) return content;
  throw new FormatError(`"${path}" holds no config: it must be an object with data, model and fit`);
}

async function parsed(path: string, text: string): Promise<unknown> {
  const isYaml = /\.ya?ml$/.test(path);
  if (!isYaml && !path.endsWith(".json"))
    throw new ArgumentError(
      `"${path}" is no config: its name must end in .ts, .js, .mjs, .json, .yaml or .yml`,
    );
  const parse: (text: string) => unknown = isYaml
    ? (await optionalPackage("yaml", "reading a config in YAML", () => import("yaml"))).parse
    : JSON.parse;
  try {
    return parse(text);
  } catch (cause) {
    throw new FormatError(`"${path}" is not valid ${isYaml ? "YAML" : "JSON"}: ${(cause as Error).message}`, {
      cause,
    });
  }
}

/** The default export, or the exports themselves. */
function exported(path: string, module: Readonly<Record<string, unknown>>): Content {
  const { default: whole, ...named } = module;
  if (isPlain(whole)) return whole;
  if (whole === undefined && "fit" in named) return named;
  throw new FormatError(
    `"${path}" exports no config: export one as default (defineConfig({ data, model, fit })), or export data, model and fit`,
  );
}

/** A copy with one value changed. */
function changed(path: string, config: Content, change: string): Content {
  const [, key, value] = /^([^=]+)=(.*)$/s.exec(change) ?? [];
  if (key === undefined)
    throw new ArgumentError(`--set takes key=value, such as fit.epochs=3, got "${change}"`);
  return put(path, config, key.split("."), settingOf(value!), key);
}

function put(
  path: string,
  into: unknown,
  [first, ...rest]: readonly string[],
  value: unknown,
  key: string,
): Content {
  if (!isPlain(into) && into !== undefined)
    throw new ArgumentError(`--set ${key}: "${first}" lies inside of what is no plain object in "${path}"`);
  const before = into as Content | undefined;
  if (first === "__proto__") throw new ArgumentError(`--set ${key}: there is no such key`);
  const changedValue = rest.length === 0 ? value : put(path, before?.[first!], rest, value, key);
  return { ...before, [first!]: changedValue };
}

function settingOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

const value: Rule = {
  allowed: "a value, or one by name",
  accepts: (given) => given !== null && ["string", "object", "function"].includes(typeof given),
};

const fitRules: Readonly<Record<string, Rule>> = {
  ...{ loss: value, optimizer: value, metrics: list, callbacks: list },
  ...{ epochs: wholeNumber, batchSize: positiveInteger, shuffle: boolean, seed: wholeNumber },
  ...{ validationSplit: fraction, clipValue: positive, clipNorm: positive, gradientNorm: boolean },
  ...{ inputs: texts, labels: text, sampleWeights: anything, classWeights: anything, penalty: anything },
  ...{ gradientAccumulationSteps: positiveInteger, precision: oneOf("f32", "bf16", "f16"), checks: anything },
  ...{ prefetch: wholeNumber, corrupt: oneOf("fail", "skip") },
  progress: oneOf("auto", "bar", "lines", "json", "none"),
};

const runRules: Readonly<Record<string, Rule>> = {
  ...{ folder: text, name: text, tensorboard: boolean },
  ...{ checkpoints: anything, histograms: anything, digests: anything, evaluation: anything },
};

function checkConfig(place: Place, config: Content): void {
  const rules = { seed: wholeNumber, data: value, model: value, fit: object, run: object };
  checkObject(place, config, rules, ["data", "model", "fit"]);
  checkObject(at(place, "fit"), config["fit"], fitRules, ["loss", "optimizer"]);
  if (config["run"] !== undefined) checkObject(at(place, "run"), config["run"], runRules);
}
