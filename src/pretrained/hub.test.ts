import { createHash } from "node:crypto";
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  truncateSync,
} from "node:fs";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { runProgram } from "../../test/cli-program.ts";
import { openModel } from "../cli/model-flags.ts";
import { loadPretrained, pull, savePretrained } from "./index.ts";

const root = mkdtempSync(join(tmpdir(), "netwright-hub-"));
const commit = "0123456789abcdef0123456789abcdef01234567";
const id = "someone/tiny-llama";

const gguf = fileURLToPath(new URL("../../test/fixtures/llama.gguf", import.meta.url));

/** Files of the mock hub, by path. */
const files = new Map<string, Buffer>();
const isLarge = (path: string): boolean => path.endsWith(".safetensors");
const sha256Of = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");
const gitIdOf = (bytes: Buffer): string =>
  createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex");

let server: Server;
let hubUrl: string;
/** What was asked for: method, path and range. */
let requests: string[] = [];
/** Cuts the connection after so many bytes of a file. */
let breaksAfter = Infinity;
let damages = false;
/** Breaks the connection there, where a length was promised. */
let cuts = false;
/** Answers for files alone: what a model says whose licence was not accepted. */
let fileStatus = 200;

beforeAll(async () => {
  const folder = join(root, "source");
  await savePretrained(await loadPretrained(gguf), folder);
  for (const name of ["config.json", "model.safetensors", "tokenizer.json"])
    files.set(name, existsSync(join(folder, name)) ? readFileSync(join(folder, name)) : Buffer.from("{}"));
  if (files.get("tokenizer.json")!.length === 2) files.delete("tokenizer.json");
  files.set("pytorch_model.bin", Buffer.alloc(100));
  files.set("onnx/model.onnx", Buffer.alloc(100));
  server = createServer((request, response) => {
    const url = new URL(request.url!, "http://hub");
    requests.push(`${url.pathname} ${request.headers.range ?? ""}`.trim());
    const json = (value: unknown, status = 200): void => {
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
    };
    if (request.headers.authorization === "Bearer hf_wrong") return json({ error: "no" }, 401);
    if (url.pathname.startsWith(`/api/models/${id}/revision/main`))
      return json({ _id: "1", id, sha: commit, lastModified: "2026-01-01T00:00:00Z" });
    if (url.pathname === `/api/models/${id}/tree/${commit}`)
      return json(
        [...files].map(([path, bytes]) => ({
          type: "file",
          path,
          size: bytes.length,
          oid: gitIdOf(bytes),
          ...(isLarge(path) && { lfs: { oid: sha256Of(bytes), size: bytes.length, pointerSize: 100 } }),
        })),
      );
    const path = url.pathname.replace(`/${id}/resolve/${commit}/`, "");
    const bytes = files.get(path);
    if (bytes === undefined) return json({ error: "not here" }, 404);
    const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0);
    const part = Buffer.from(bytes.subarray(from));
    if (damages) part[0]! ^= 1;
    if (fileStatus !== 200) return json({ error: "gated" }, fileStatus);
    if (cuts && part.length > breaksAfter) {
      response.writeHead(from > 0 ? 206 : 200, { "content-length": part.length });
      return void response.write(part.subarray(0, breaksAfter), () =>
        setTimeout(() => response.destroy(), 50),
      );
    }
    // Without a length, so that a part looks whole.
    response.writeHead(from > 0 ? 206 : 200).end(part.subarray(0, Math.min(part.length, breaksAfter)));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  hubUrl = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
}, 60_000);
afterAll(() => {
  server.close();
  vi.unstubAllEnvs();
  rmSync(root, { recursive: true, force: true });
});
beforeEach(() => {
  [requests, breaksAfter, damages, cuts, fileStatus] = [[], Infinity, false, false, 200];
});

const cacheOf = (name: string): string => join(root, name);
const fetches = (): string[] => requests.filter((request) => request.includes("/resolve/"));

test("only what is needed, in the cache's layout; then nothing is fetched, and it opens by name", async () => {
  const home = join(root, "home");
  const cacheFolder = join(home, "hub");
  const seen: number[] = [];
  const pulled = await pull(id, { hubUrl, cacheFolder, onProgress: ({ bytes }) => seen.push(bytes) });
  expect([...pulled.files].sort()).toEqual([...files.keys()].filter((path) => !/bin|onnx/.test(path)).sort());
  expect(pulled.fetchedBytes).toBe(pulled.files.reduce((sum, path) => sum + files.get(path)!.length, 0));
  expect(seen.length).toBeGreaterThan(0);
  const folder = join(cacheFolder, "models--someone--tiny-llama");
  expect(readFileSync(join(folder, "refs", "main"), "utf8")).toBe(commit);
  expect(pulled.folder).toBe(join(folder, "snapshots", commit));
  const weights = files.get("model.safetensors")!;
  expect(readlinkSync(join(pulled.folder, "model.safetensors"))).toBe(`../../blobs/${sha256Of(weights)}`);
  expect(readlinkSync(join(pulled.folder, "config.json"))).toBe(
    `../../blobs/${gitIdOf(files.get("config.json")!)}`,
  );
  expect(readFileSync(join(pulled.folder, "model.safetensors")).equals(weights)).toBe(true);
  requests = [];
  expect((await pull(id, { hubUrl, cacheFolder })).fetchedBytes).toBe(0);
  expect(fetches()).toEqual([]);
  vi.stubEnv("HF_HUB_CACHE", "");
  vi.stubEnv("HUGGINGFACE_HUB_CACHE", "");
  vi.stubEnv("HF_HOME", home);
  expect((await loadPretrained(id)).model.namedParameters().size).toBe(21);
  await expect(loadPretrained("someone/else")).rejects.toThrow("fetch it with netwright pull someone/else");
});

test("what broke off goes on where it ended", async () => {
  const cacheFolder = cacheOf("broken");
  breaksAfter = 9000;
  await expect(pull(id, { hubUrl, cacheFolder })).rejects.toThrow(
    /broke off after 9000 of \d+ bytes; run it again/,
  );
  breaksAfter = Infinity;
  requests = [];
  const { folder } = await pull(id, { hubUrl, cacheFolder });
  expect(fetches().some((request) => /model.safetensors bytes=[1-9]\d*-$/.test(request))).toBe(true);
  expect(readFileSync(join(folder, "model.safetensors")).equals(files.get("model.safetensors")!)).toBe(true);
});

test("a connection that is cut: what came is kept", async () => {
  const cacheFolder = cacheOf("cut");
  [breaksAfter, cuts] = [9000, true];
  await expect(pull(id, { hubUrl, cacheFolder })).rejects.toThrow(/the connection broke after \d+ bytes/);
  const blobs = join(cacheFolder, "models--someone--tiny-llama", "blobs");
  const partial = readdirSync(blobs).find((name) => name.endsWith(".incomplete"))!;
  const kept = statSync(join(blobs, partial)).size;
  expect(kept).toBeGreaterThan(0);
  cuts = false;
  breaksAfter = Infinity;
  requests = [];
  const { folder } = await pull(id, { hubUrl, cacheFolder });
  expect(fetches()[0]).toMatch(new RegExp(` bytes=${kept}-$`));
  expect(readFileSync(join(folder, "model.safetensors")).equals(files.get("model.safetensors")!)).toBe(true);
});

test.each([401, 403])("a licence that was not accepted (%i)", async (status) => {
  fileStatus = status;
  await expect(pull(id, { hubUrl, cacheFolder: cacheOf("gated") })).rejects.toThrow(
    `pull: the hub lists config.json, but answers ${status} for it: accept the model's licence on its page, and give a token (HF_TOKEN)`,
  );
});

test("a file that is not what the hub says is refused and removed", async () => {
  const cacheFolder = cacheOf("damaged");
  damages = true;
  await expect(pull(id, { hubUrl, cacheFolder })).rejects.toThrow(
    /is not what the hub says: its hash is [0-9a-f]+/,
  );
  damages = false;
  const { folder } = await pull(id, { hubUrl, cacheFolder });
  // A file in the cache that was cut short is fetched again.
  const blob = join(folder, readlinkSync(join(folder, "model.safetensors")));
  truncateSync(blob, 10);
  expect((await pull(id, { hubUrl, cacheFolder })).fetchedBytes).toBe(files.get("model.safetensors")!.length);
});

test("names and answers that cannot be are refused", async () => {
  const cacheFolder = cacheOf("refused");
  await expect(pull("tiny", { hubUrl, cacheFolder })).rejects.toThrow("they are OWNER/NAME");
  await expect(pull("../../etc", { hubUrl, cacheFolder })).rejects.toThrow("they are OWNER/NAME");
  await expect(pull("someone/none", { hubUrl, cacheFolder })).rejects.toThrow(
    "the hub has no model someone/none",
  );
  await expect(pull(id, { hubUrl, cacheFolder, token: "hf_wrong" })).rejects.toThrow(
    "needs a token (HF_TOKEN)",
  );
  await expect(pull(id, { hubUrl, cacheFolder, file: "x.gguf" })).rejects.toThrow('has no file "x.gguf"');
  files.set("../outside.json", Buffer.from("{}"));
  await expect(pull(id, { hubUrl, cacheFolder })).rejects.toThrow(/lists a file "..\/outside.json"/);
  files.delete("../outside.json");
});

test("the command", async () => {
  vi.stubEnv("HF_HOME", join(root, "command"));
  vi.stubEnv("HF_ENDPOINT", hubUrl);
  const { stdout, code } = await runProgram("pull", id);
  expect(code).toBe(0);
  expect(stdout).toMatch(/config\.json[\s\S]*bytes fetched: ".*snapshots/);
  expect((await runProgram("pull", id)).stdout).toContain("all there already");
  expect((await runProgram("pull")).stderr).toContain("pull takes one model");
});

test("a GGUF file by the model's name in the commands, and without a network", async () => {
  vi.stubEnv("HF_HOME", join(root, "gguf"));
  vi.stubEnv("HF_ENDPOINT", hubUrl);
  files.set("tiny.gguf", readFileSync(gguf));
  expect((await runProgram("pull", id, "--file", "tiny.gguf")).code).toBe(0);
  files.delete("tiny.gguf");
  vi.stubEnv("HF_ENDPOINT", "http://127.0.0.1:9");
  const offline = await runProgram("pull", id, "--file", "tiny.gguf");
  expect([offline.code, offline.stderr]).toEqual([
    1,
    expect.stringMatching(/no answer from .*; what was fetched before opens without it: ".*tiny\.gguf"/),
  ]);
  const asked = ["the dog", "--raw", "--max-new-tokens", "4", "--temperature", "0"];
  const [byName, byPath] = [
    await runProgram("generate", id, ...asked),
    await runProgram("generate", gguf, ...asked),
  ];
  expect(byName.stderr).toBe("");
  expect(byName.stdout).toBe(byPath.stdout);
  // Its weights stay as they are in the file, by name as by path.
  const [named, pathed] = [await openModel(id, {}), await openModel(gguf, {})];
  expect([...named.model.stateDict().keys()]).toEqual([...pathed.model.stateDict().keys()]);
});
