/**
 * The page of `examples/browser`, built and opened in Chromium: it trains on the real MNIST, stays alive while it does, and
 * ends with the weights that Node ends with, bit for bit.
 */
import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { type Browser, chromium, type Page } from "playwright-core";
import { build, type PreviewServer, preview } from "vite";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { load, weightsSha256 } from "../src/checkpoint/index.ts";
import { Linear, ReLU, Sequential } from "../src/nn/index.ts";
import { writeSmallMnist } from "./mnist-files.ts";
import { root } from "./source.ts";

const browserPaths = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const executablePath = process.env.CHROMIUM ?? browserPaths.find(existsSync);
const noBrowser = "no Chromium is installed (apt-get install chromium), and CHROMIUM names none";

const config = join(root, "examples/browser/vite.config.ts");
const folder = mkdtempSync(join(tmpdir(), "netwright-browser-"));
const outDir = join(folder, "page");
const digits = join(outDir, "digits");
afterAll(() => rmSync(folder, { recursive: true, force: true }));

beforeAll(async () => {
  if (!existsSync(join(root, "dist")))
    throw new Error("the package is not built: npm run build, or npm test");
  await build({ configFile: config, logLevel: "silent", build: { outDir } });
  // The real MNIST is trained on once: what else is shown needs no more than a few digits.
  mkdirSync(digits);
  writeSmallMnist(digits, { trainCount: 2000 });
});

const script = (name: string): string => readFileSync(join(outDir, "assets", name), "utf8");

test("the page's scripts name nothing of Node and carry no machine code's generator", () => {
  for (const name of readdirSync(join(outDir, "assets")))
    expect(script(name)).not.toMatch(/["']node:|\brequire\(|\bkoffi\b|vfmadd/);
});

/** What Node's program ends with. */
function trainInNode(...flags: string[]): { readonly weightsSha256: string } {
  const program = [join(root, "build/examples/mnist.js"), "--json", "--target", "wasm", ...flags];
  return JSON.parse(execFileSync(process.execPath, program, { encoding: "utf8" }).trim().split("\n").at(-1)!);
}

describe.skipIf(executablePath === undefined)(
  `in Chromium${executablePath ? "" : ` (skipped: ${noBrowser})`}`,
  () => {
    let browser: Browser;
    let server: PreviewServer;
    let address: string;

    beforeAll(async () => {
      browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
      [server, address] = await serve();
    });
    afterAll(async () => {
      await browser?.close();
      await server?.close();
    });

    test("2 threads, one epoch: the weights are those of Node, the page stays alive", async () => {
      const fetched = new Set<string>();
      const page = await open(`${address}?epochs=1&threads=2`, fetched);
      expect(await facts(page)).toMatchObject({ target: "wasm", threads: "2" });
      expect((await facts(page)).sha256).toBe(trainInNode("--epochs", "1", "--threads", "1").weightsSha256);
      // A page that is frozen draws no frames; training takes the time of dozens.
      expect(await page.evaluate("frames")).toBeGreaterThan(5);
      expect(await page.locator("#epochs td").allInnerTexts()).toHaveLength(5);
      expect(await page.locator("#digits figure").count()).toBe(20);

      const circle = Array.from({ length: 25 }, (_, i) => (i * Math.PI) / 12);
      await drawn(page, circle.map((angle) => [140 + 60 * Math.sin(angle), 140 - 90 * Math.cos(angle)])); // biome-ignore format: one call
      await page.waitForFunction('document.querySelector("#answer strong")?.textContent === "0"');
      await page.click("#clear");
      await page.waitForFunction('document.querySelector("#answer").textContent === "draw a digit"');
      await drawn(page, [[150, 50], [148, 110], [144, 170], [140, 230]]); // biome-ignore format: one call
      await page.waitForFunction('document.querySelector("#answer strong")?.textContent === "1"');

      // What counts is what this page has fetched, from its start to the end of training, evaluation, saving and loading. What checks
      // data, prints progress, keeps checkpoints and explains failed steps waits in files of its own: this page needs none.
      const bytes = [...fetched].reduce((sum, name) => sum + gzipSync(script(name)).length, 0);
      expect(bytes).toBeGreaterThan(10_000);
      expect(bytes).toBeLessThan(150_000);
      expect(fetched.size).toBeLessThan(readdirSync(join(outDir, "assets")).length);
    }, 120_000);

    test("without isolation one thread trains to the same weights; files of page and Node open in the other", async () => {
      const [plain, at] = await serve({ headers: { "Cross-Origin-Opener-Policy": "unsafe-none" } });
      try {
        const page = await open(`${at}?epochs=1&seed=3&data=digits`);
        expect(await page.evaluate("crossOriginIsolated")).toBe(false);
        const { sha256, ...where } = await facts(page);
        expect(where).toMatchObject({ target: "wasm", threads: "1" });
        expect(sha256).toBe(trainInNode("--epochs", "1", "--seed", "3", "--data", digits).weightsSha256);

        const bytes = (await page.evaluate(
          `fetch(document.getElementById("download").href).then((r) => r.arrayBuffer()).then((b) => [...new Uint8Array(b)])`,
        )) as number[];
        const file = join(outDir, "from-page.safetensors");
        writeFileSync(file, Uint8Array.from(bytes));
        const model = new Sequential(
          ...[new Linear(784, 64), new ReLU(), new Linear(64, 64), new ReLU(), new Linear(64, 10)],
        );
        await load(model, file);
        expect(await weightsSha256(model)).toBe(sha256);
        const again = await open(`${address}?epochs=0&data=digits&weights=from-page.safetensors`);
        expect((await facts(again)).sha256).toBe(sha256);
      } finally {
        await plain.close();
      }
    }, 120_000);

    async function serve(options = {}): Promise<[PreviewServer, string]> {
      const shared = { configFile: config, logLevel: "silent" as const, build: { outDir } };
      const started = await preview({ ...shared, preview: { port: 0, host: "127.0.0.1", ...options } });
      return [started, started.resolvedUrls!.local[0]!];
    }

    /** The page when it is done, and the names of the scripts it `fetched`; what it throws is thrown here. */
    async function open(url: string, fetched = new Set<string>()): Promise<Page> {
      const page = await browser.newPage();
      page.on("request", (request) => {
        const name = /\/assets\/([^/?]+\.js)/.exec(request.url())?.[1];
        if (name !== undefined) fetched.add(name);
      });
      await page.addInitScript(
        "frames = 0; (function count() { frames++; requestAnimationFrame(count); })();",
      );
      await page.goto(url);
      await page.waitForFunction("document.body?.dataset.sha256 || document.body?.dataset.error", null, {
        timeout: 60_000,
      });
      expect(await facts(page)).not.toHaveProperty("error");
      return page;
    }

    /** A stroke in the page's field, with the mouse. */
    async function drawn(page: Page, points: readonly (readonly number[])[]): Promise<void> {
      await page.locator("#field").scrollIntoViewIfNeeded();
      const field = (await page.locator("#field").boundingBox())!;
      const at = ([x, y]: readonly number[]) => [field.x + x!, field.y + y!] as const;
      await page.mouse.move(...at(points[0]!));
      await page.mouse.down();
      for (const point of points.slice(1)) await page.mouse.move(...at(point));
      await page.mouse.up();
    }

    const facts = (page: Page): Promise<Record<string, string>> =>
      page.evaluate("({ ...document.body.dataset })") as Promise<Record<string, string>>;
  },
);
