import { afterEach, expect, test, vi } from "vitest";
import { runProgram as run } from "../../test/cli-program.ts";
import type { Diagnosis } from "../runtime/diagnosis.ts";
import { diagnosisText } from "./doctor.ts";

afterEach(() => vi.restoreAllMocks());

test("without a command, the list of them", async () => {
  expect(await run()).toMatchInlineSnapshot(`
    {
      "code": 0,
      "stderr": "",
      "stdout": "netwright COMMAND [FLAGS]

      new           makes a folder with a config, a data set, a model and a test
      train         trains what a config says, and records the run
      eval          loss and metrics of a trained run
      predict       what a trained run answers
      tune          search for the best parameters of an objective
      pull          fetches a model of the Hugging Face hub into its cache
      finetune      goes on with a published model on conversations
      generate      goes on with a text, or answers a question
      chat          a conversation with a model
      serve         answers over HTTP, as OpenAI's clients ask
      runs          lists and compares the runs of a folder
      diff          the first step where two runs part, and what differs
      replay        any step of a run again, exactly
      report        a run as one HTML page, or as charts in the terminal
      inspect       what is in a file: weights, checkpoints, tables, runs
      convert       a table, weights or a model in another file format
      doctor        what computes on this machine, and why
      tune-kernels  searches for the fastest tiles of matrix products on this machine, and keeps them
      completion    what makes a shell complete commands and flags

    netwright COMMAND --help shows its flags.
    ",
    }
  `);
  expect((await run("--help")).stdout).toBe((await run()).stdout);
});

test("a command that is not there, a flag that is not there", async () => {
  expect(await run("docter")).toMatchInlineSnapshot(`
    {
      "code": 2,
      "stderr": "netwright: "docter" is no command; commands are new, train, eval, predict, tune, pull, finetune, generate, chat, serve, runs, diff, replay, report, inspect, convert, doctor, tune-kernels, completion; did you mean "doctor"?
    ",
      "stdout": "",
    }
  `);
  expect(await run("doctor", "--jsom")).toMatchInlineSnapshot(`
    {
      "code": 2,
      "stderr": "netwright: Unknown option '--jsom'; flags are --json, --help
    ",
      "stdout": "",
    }
  `);
});

test("help of a command", async () => {
  expect(await run("doctor", "--help")).toMatchInlineSnapshot(`
    {
      "code": 0,
      "stderr": "",
      "stdout": "what computes on this machine, and why

    netwright doctor [--json]

      --json  one JSON object instead of text
    ",
    }
  `);
});

test("doctor --json is the diagnosis", async () => {
  const { code, stdout, stderr } = await run("doctor", "--json");
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const diagnosis = JSON.parse(stdout) as Diagnosis;
  expect(diagnosis.versions.netwright).toMatch(/^\d+\.\d+\.\d+/);
  expect(diagnosis.target!.threads).toBeGreaterThan(0);
  expect(diagnosis.processors.threads).toBeLessThanOrEqual(diagnosis.processors.allowed);
});

const healthy: Diagnosis = {
  versions: { netwright: "1.2.3", koffi: "3.3.4" },
  machine: { runtime: "Node 20.20.2", system: "linux", architecture: "x64", processor: "A processor" },
  target: { name: "x64", arithmetic: "x64", threads: 4 },
  problem: undefined,
  native: { instructionSet: "avx512", features: ["avx2", "avx512"], reasons: [] },
  processors: {
    allowed: 8,
    cores: 4,
    quota: undefined,
    threads: 4,
    caches: [
      { level: 1, bytes: 32768, ways: 8, sharedBy: 2 },
      { level: 2, bytes: 1048576, ways: 8, sharedBy: 1 },
    ],
    hugePages: "madvise",
  },
  memoryLimitBytes: 16_500_000_000,
  programCache: { folder: "/home/a/.cache/netwright", files: 12, bytes: 700_000 },
  tiles: { file: "/home/a/.cache/netwright/tiles/0f.json", products: 24 },
  settings: {},
};

test("the text for people", () => {
  expect(diagnosisText(healthy)).toMatchInlineSnapshot(`
    "netwright     1.2.3
    runtime       Node 20.20.2 on linux x64
    processor     A processor
    target        x64, 4 threads, arithmetic x64
    machine code  avx512
    features      avx2, avx512
    koffi         3.3.4
    processors    8 allowed on 4 cores, no quota: 4 threads by default
    caches        L1 32 KiB shared by 2, L2 1 MiB
    huge pages    madvise
    disk cache    12 files, 683.6 KiB, in /home/a/.cache/netwright
    tuned tiles   24 products, in /home/a/.cache/netwright/tiles/0f.json
    memory        15.4 GiB
    settings      none
    "
  `);
});

test("the text where nothing is as it should be", () => {
  const text = diagnosisText({
    versions: { netwright: undefined, koffi: undefined },
    machine: { runtime: "Node 22.0.0", system: "darwin", architecture: "arm64", processor: "Another" },
    target: { name: "wasm", arithmetic: "wasm", threads: 1 },
    problem: "machine code cannot run here: it is made for Linux on x64",
    native: { instructionSet: undefined, features: [], reasons: ["it is made for Linux on x64"] },
    processors: { ...healthy.processors, quota: 1.5, threads: 1, caches: [], hugePages: undefined },
    memoryLimitBytes: undefined,
    tiles: { reason: "NETWRIGHT_TILES=0" },
    programCache: { reason: 'others may write to "/cache": chmod go-w' },
    settings: { NETWRIGHT_THREADS: "1" },
  });
  expect(text).toMatchInlineSnapshot(`
    "netwright     unknown
    runtime       Node 22.0.0 on darwin arm64
    processor     Another
    target        wasm, 1 thread, arithmetic wasm
    because       machine code cannot run here: it is made for Linux on x64
    machine code  does not run here (it is made for Linux on x64)
    features      none
    koffi         not installed
    processors    8 allowed on 4 cores, a quota of 1.5: 1 thread by default
    caches        unknown
    huge pages    unknown
    disk cache    none: others may write to "/cache": chmod go-w
    tuned tiles   none: NETWRIGHT_TILES=0
    memory        unknown
    settings      NETWRIGHT_THREADS=1
    "
  `);
});
