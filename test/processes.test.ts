/** Machine code beside other threads and processes, in child processes of their own: who computes, what stays behind. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { doctor } from "../src/runtime/x64/doctor.ts";
import { root } from "./source.ts";

const folder = mkdtempSync(join(tmpdir(), "netwright-processes-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const { isa, reasons } = doctor();
const why = `machine code cannot run here: ${reasons.join("; ")}`;

/** Trains on several threads, and gives the losses. */
const training = `
import { compile, grad } from "netwright";
import { crossEntropy } from "netwright/losses";
import { Linear, ReLU, Sequential } from "netwright/nn";
import { Adam } from "netwright/optim";

export async function train(steps = 3) {
  const model = new Sequential(new Linear(300, 400), new ReLU(), new Linear(400, 10));
  const optimizer = new Adam(model.parameters());
  const step = compile((x, labels) => {
    const loss = crossEntropy(model.forward(x), labels);
    optimizer.step(grad(loss, optimizer.parameters));
    return loss;
  });
  const x = { dtype: "f32", shape: [64, 300], data: new Float32Array(64 * 300).map((_, i) => (i % 97) / 97) };
  const labels = { dtype: "i32", shape: [64], data: Int32Array.from({ length: 64 }, (_, i) => i % 10) };
  const losses = [];
  for (let i = 0; i < steps; i++) losses.push(await step(x, labels).item());
  return losses.join();
}
`;
writeFileSync(
  join(folder, "training.mjs"),
  training.replaceAll(/"netwright(\/\w+)?"/g, (_, room = "/tensor") =>
    JSON.stringify(join(root, `dist${room}/index.js`)),
  ),
);

function run(program: string, env: Record<string, string> = {}, flags: readonly string[] = []) {
  const file = join(folder, "main.mjs");
  writeFileSync(file, `import { train } from "./training.mjs";\n${program}`);
  const { stdout, stderr, status, signal } = spawnSync(process.execPath, [...flags, file], {
    cwd: root,
    encoding: "utf8",
    timeout: 60_000,
    env: { ...process.env, NETWRIGHT_TARGET: "x64", NETWRIGHT_THREADS: "3", ...env },
  });
  return { stdout, stderr, status, signal };
}
const good = { stderr: "", status: 0, signal: null };

test("worker threads and child processes compute the same, at once; every process ends by itself", (context) => {
  context.skip(isa === undefined, why);
  const { stdout, ...end } = run(`
    import { fork } from "node:child_process";
    import { isMainThread, parentPort, Worker } from "node:worker_threads";
    if (!isMainThread) parentPort.postMessage(await train());
    else if (process.argv[2] === "child") process.send(await train(), () => process.disconnect());
    else {
      const file = process.argv[1];
      const others = [new Worker(file), new Worker(file), fork(file, ["child"])];
      const answers = others.map((other) => new Promise((resolve) => other.on("message", resolve)));
      console.log(JSON.stringify([await train(), ...(await Promise.all(answers))]));
    }`);
  expect(end).toEqual(good);
  const losses = JSON.parse(stdout) as string[];
  expect(losses).toHaveLength(4);
  expect(new Set(losses).size).toBe(1);
});

test("threads that have nothing to do take no processor time", (context) => {
  context.skip(isa === undefined, why);
  const { stdout, ...end } = run(`
    import { readdirSync, readFileSync } from "node:fs";
    const threads = () => readdirSync("/proc/self/task");
    // Ticks of a hundredth of a second, in user and kernel mode.
    const ticks = (thread) => {
      const fields = readFileSync("/proc/self/task/" + thread + "/stat", "utf8").replace(/.*\\) /s, "").split(" ");
      return Number(fields[11]) + Number(fields[12]);
    };
    await import(${JSON.stringify(join(root, "dist/tensor/index.js"))});
    await new Promise((resolve) => setTimeout(resolve, 50));
    const before = new Set(threads());
    await train(20);
    await new Promise((resolve) => setTimeout(resolve, 100));
    const ours = threads().filter((thread) => !before.has(thread));
    const used = ours.map(ticks);
    await new Promise((resolve) => setTimeout(resolve, 500));
    console.log(JSON.stringify({ count: ours.length, idle: ours.map((thread, i) => ticks(thread) - used[i]) }));`);
  expect(end).toEqual(good);
  const { count, idle } = JSON.parse(stdout) as { count: number; idle: number[] };
  expect(count).toBeGreaterThanOrEqual(2);
  expect(Math.max(...idle)).toBe(0);
});

/** Notes what the process asks of the system's memory; some calls may be refused, as under seccomp. */
const watching = (refused: string) => `
const koffi = module.require("node:module").createRequire(${JSON.stringify(join(root, "package.json"))})("koffi");
const load = koffi.load;
globalThis.accesses = [];
koffi.load = (...args) => {
  const library = load(...args);
  return { func: (definition) => {
    const call = library.func(definition);
    const name = /(\\w+)\\(/.exec(definition)[1];
    if (name === ${JSON.stringify(refused)}) return () => -1;
    if (name !== "mmap" && name !== "mprotect") return call;
    return (...values) => {
      const result = call(...values);
      accesses.push({ name, access: values[2], at: name === "mmap" ? Number(result) : values[0] });
      return result;
    };
  } };
};`;

test.each(["", "memfd_create"])(
  "no page is ever writable and executable at once (refused: %j)",
  (refused) => {
    if (isa === undefined) return;
    const hook = join(folder, "watch.cjs");
    writeFileSync(hook, watching(refused));
    const { stdout, ...end } = run(
      `await train();
    const runnable = accesses.filter(({ access }) => access & 4);
    const lines = (await import("node:fs")).readFileSync("/proc/self/maps", "utf8").split("\\n");
    const maps = runnable.map(({ at }) => lines.find((line) => parseInt(line, 16) === at)?.split(" ")[1]);
    console.log(JSON.stringify({ both: accesses.filter(({ access }) => (access & 6) === 6), maps }));`,
      {},
      ["--require", hook],
    );
    expect(end).toEqual(good);
    const { both, maps } = JSON.parse(stdout) as { both: unknown[]; maps: (string | null)[] };
    expect(both).toEqual([]);
    const left = maps.filter((map) => map !== null);
    // Anonymous pages that lie side by side are one line.
    expect(left.length).toBeGreaterThanOrEqual(refused === "" ? 3 : 1);
    expect(new Set(left)).toEqual(new Set([refused === "" ? "r-xs" : "r-xp"]));
  },
);

test("a later process takes its programs from disk, and learns the same", (context) => {
  context.skip(isa === undefined, why);
  const env = { NETWRIGHT_CACHE: join(folder, "programs") };
  const program = "console.log(await train());";
  const [first, plain] = [run(program, env), run(program)];
  expect(first).toEqual({ ...good, stdout: plain.stdout });
  const kept = readdirSync(env.NETWRIGHT_CACHE).map((name) => readFileSync(join(env.NETWRIGHT_CACHE, name)));
  expect(kept.length).toBeGreaterThanOrEqual(2);
  expect(run(program, env)).toEqual(first);
  expect(readdirSync(env.NETWRIGHT_CACHE)).toHaveLength(kept.length);
});
