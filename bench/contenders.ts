/** Who takes part: how each one's process is started, and why it cannot be where something is missing. */
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Command } from "./child.ts";
import type { Work } from "./protocol.ts";

export interface Contender {
  /** The name on the command line; Netwright's own begin with its name. */
  readonly key: string;
  readonly title: string;
  /** The thread counts worth measuring, of at most `threads`. */
  threadCounts(threads: number): readonly number[];
  /** The process that answers requests; null: takes part in "startup" only. */
  serve(threads: number): Command | null;
  /** A fresh process that does one step of `work` and prints a line; null where that says nothing new. */
  startup(work: Work): Command | null;
  /** A fresh process that compiles the step of `work` and prints its `CompileTimes`. */
  compiling?(work: Work): Command;
  /** What is missing on this machine, and how to get it. */
  missing(): string | undefined;
}

/** The files beside the built frame (build/bench), and the peers' folder in the sources. */
const built = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const peers = (path: string): string => fileURLToPath(new URL(`../../bench/peers/${path}`, import.meta.url));

const node = (script: string, ...args: string[]): Command => ({
  file: process.execPath,
  args: [script, ...args],
});
const netwright = (target: string, threads: number, script: string, ...args: string[]): Command => ({
  ...node(built(`netwright/${script}`), ...args),
  environment: { NETWRIGHT_TARGET: target, NETWRIGHT_THREADS: String(threads) },
});
const python = (...args: string[]): Command => ({ file: peers("venv/bin/python"), args });
const onlyOne = (): readonly number[] => [1];
const doubling = (threads: number): readonly number[] =>
  [...new Set([1, 2, 4, 8, 16, 32, threads])].filter((n) => n <= threads).sort((a, b) => a - b);
const requires = (path: string, what: string) => (): string | undefined =>
  existsSync(path) ? undefined : what;

const withoutPython = requires(peers("venv/bin/python"), "run bench/peers/setup.sh python");
/** Virtual environments keep packages in lib/python3.N/site-packages. */
const withoutPythonPackage = (name: string) => (): string | undefined => {
  const library = peers("venv/lib");
  const isThere =
    existsSync(library) &&
    readdirSync(library).some((version) => existsSync(`${library}/${version}/site-packages/${name}`));
  return isThere ? undefined : "run bench/peers/setup.sh python";
};
const withoutPackages = (name: string) =>
  requires(peers(`node_modules/${name}`), "run bench/peers/setup.sh javascript");

const own = (key: string, title: string, target: string): Contender => ({
  key,
  title,
  threadCounts: doubling,
  serve: (threads) => netwright(target, threads, "serve.js"),
  startup: (work) => netwright(target, 1, "startup.js", JSON.stringify(work)),
  compiling: (work) => netwright(target, 1, "compile.js", JSON.stringify(work)),
  missing: requires(built("netwright/serve.js"), "bench/netwright is not part of this build"),
});

/** The same with its programs kept on disk; the run that only fills caches fills this one too. */
function remembering({ startup, compiling, missing }: Contender): Contender {
  const here = (command: Command): Command => ({
    ...command,
    environment: { ...command.environment, NETWRIGHT_CACHE: programFolder() },
  });
  return {
    key: "netwright-x64-kept",
    title: "Netwright x64, programs kept on disk",
    threadCounts: onlyOne,
    serve: () => null,
    startup: (work) => here(startup(work)!),
    compiling: (work) => here(compiling!(work)),
    missing,
  };
}

let folder: string | undefined;
const programFolder = (): string => (folder ??= temporaryFolder());
function temporaryFolder(): string {
  const made = mkdtempSync(join(tmpdir(), "netwright-programs-"));
  process.once("exit", () => rmSync(made, { recursive: true, force: true }));
  return made;
}

const torch = (key: string, title: string, ...flags: string[]): Contender => ({
  key,
  title,
  threadCounts: doubling,
  serve: (threads) => python(peers("python/torch_peer.py"), "--threads", String(threads), ...flags),
  startup: (work) =>
    flags.length > 0 ? null : python(peers("python/torch_startup.py"), JSON.stringify(work)),
  missing: withoutPython,
  ...(flags.includes("--compile") && {
    compiling: (work: Work) => python(peers("python/torch_compile_time.py"), JSON.stringify(work)),
  }),
});

export const contenders: readonly Contender[] = [
  own("netwright", "Netwright wasm", "wasm"),
  own("netwright-x64", "Netwright x64", "x64"),
  remembering(own("netwright-x64", "", "x64")),
  torch("torch", "PyTorch"),
  torch("torch-fused", "PyTorch, fused optimizer", "--fused"),
  torch("torch-compile", "PyTorch, torch.compile", "--compile"),
  {
    key: "keras",
    title: "Keras on TensorFlow",
    threadCounts: doubling,
    serve: (threads) => python(peers("python/tensorflow_peer.py"), "--threads", String(threads)),
    startup: () => null,
    missing: withoutPythonPackage("tensorflow"),
  },
  {
    key: "onnx",
    title: "ONNX Runtime",
    threadCounts: doubling,
    serve: (threads) => python(peers("python/onnx_peer.py"), "--threads", String(threads)),
    startup: () => null,
    missing: withoutPythonPackage("onnxruntime"),
  },
  {
    key: "tfjs",
    title: "TensorFlow.js wasm",
    threadCounts: onlyOne,
    serve: (threads) => node(peers("tfjs/peer.mjs"), "--threads", String(threads)),
    startup: (work) => node(peers("tfjs/startup.mjs"), JSON.stringify(work)),
    missing: withoutPackages("@tensorflow/tfjs-backend-wasm"),
  },
  {
    key: "jax-js",
    title: "jax-js wasm",
    threadCounts: doubling,
    serve: (threads) => node(peers("jax-js/peer.mjs"), "--threads", String(threads)),
    startup: (work) => node(peers("jax-js/startup.mjs"), JSON.stringify(work)),
    missing: withoutPackages("@jax-js/jax"),
  },
  {
    key: "machine",
    title: "WebAssembly loop",
    threadCounts: onlyOne,
    serve: () => node(built("probe/serve.js")),
    startup: () => null,
    missing: () => undefined,
  },
  {
    key: "machine-x64",
    title: "multiply-add loop",
    threadCounts: doubling,
    serve: (threads) => node(built("probe/native-serve.js"), "--threads", String(threads)),
    startup: () => null,
    missing: () => undefined,
  },
  {
    key: "node",
    title: "Node alone",
    threadCounts: onlyOne,
    serve: () => null,
    startup: () => node("--eval", "process.stdout.write('{}\\n')"),
    missing: () => undefined,
  },
  {
    key: "python",
    title: "Python alone",
    threadCounts: onlyOne,
    serve: () => null,
    startup: () => python("-c", "print('{}', flush=True)"),
    missing: withoutPython,
  },
];
