/** The report of a run, opened in Chromium: its sections, both themes, a phone's width; nothing is asked for or complained of. */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { arrayDataset } from "../src/data/index.ts";
import { crossEntropy } from "../src/losses/index.ts";
import { accuracy } from "../src/metrics/index.ts";
import { Linear, Sequential } from "../src/nn/index.ts";
import { sgd } from "../src/optim/index.ts";
import { recordRun, reportPage, writeReport } from "../src/runs/index.ts";
import { fit } from "../src/train/index.ts";
import { hashedUnit } from "./fixtures.ts";

const browserPaths = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const executablePath = process.env.CHROMIUM ?? browserPaths.find(existsSync);
const noBrowser = "no Chromium is installed (apt-get install chromium), and CHROMIUM names none";

const folder = mkdtempSync(join(tmpdir(), "netwright-report-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Images of 8 × 8 of three kinds, hard to tell apart. */
function images(count: number, seed: number) {
  const labels = Int32Array.from({ length: count }, (_, i) => i % 3);
  const pixels = Array.from(labels, (label, i) =>
    Array.from({ length: 64 }, (_, p) => {
      const isLit = Math.floor(p / 22) === label;
      return Math.min(1, hashedUnit(seed, 64 * i + p) * 0.9 + (isLit ? 0.1 : 0));
    }),
  );
  return arrayDataset({ images: pixels, labels });
}

const file = join(folder, "report.html");

beforeAll(async () => {
  const name = "<i>named & odd</i>".replaceAll("/", "∕");
  const run = recordRun({
    folder,
    name,
    checkpoints: false,
    evaluation: { classes: ["top", "middle", "bottom"] },
  });
  await fit(new Sequential(new Linear(64, 3)), images(90, 1), {
    ...{ loss: crossEntropy, metrics: [accuracy], optimizer: sgd({ learningRate: 0.1 }), epochs: 3 },
    ...{ batchSize: 30, progress: "none", validation: images(45, 2), callbacks: [run] },
  });
  await writeReport(run.path!, file);
});

const sections = ["curves", "answers", "mistakes", "weights", "time", "facts"];

describe.skipIf(executablePath === undefined)(
  `in Chromium${executablePath ? "" : ` (skipped: ${noBrowser})`}`,
  () => {
    let browser: Browser;
    beforeAll(async () => {
      browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
    });
    afterAll(() => browser?.close());

    interface Opened {
      readonly page: Page;
      /** Addresses asked for beside the page itself, and complaints. */
      readonly requests: string[];
      readonly complaints: string[];
    }

    async function open(colorScheme: "light" | "dark", width: number): Promise<Opened> {
      const page = await browser.newPage({ colorScheme, viewport: { width, height: 800 } });
      const [requests, complaints]: [string[], string[]] = [[], []];
      const address = pathToFileURL(file).href;
      page.on("request", (request) => {
        if (request.url() !== address && !request.url().startsWith("data:")) requests.push(request.url());
      });
      page.on("console", (message) => void complaints.push(message.text()));
      page.on("pageerror", (error) => void complaints.push(error.message));
      await page.goto(address);
      return { page, requests, complaints };
    }

    const groundOf = (page: Page): Promise<string> =>
      page.evaluate("getComputedStyle(document.body).backgroundColor");

    test("sections, charts with names and tables, mistakes drawn; nothing leaves the page", async () => {
      const { page, requests, complaints } = await open("light", 1280);
      expect(await page.locator("main > section").evaluateAll((all) => all.map(({ id }) => id))).toEqual(
        sections,
      );
      expect(await page.locator("nav a").count()).toBe(sections.length);
      expect(await page.locator("h1").innerText()).toContain("<i>named & odd<∕i>");
      const names = await page
        .locator("figure svg")
        .evaluateAll((all) => all.map((svg) => svg.getAttribute("aria-label")));
      expect(names).toEqual(
        expect.arrayContaining(["Loss", "Accuracy", "Confusion matrix", "ROC curve", "Calibration"]),
      );
      expect(names).toContain("0.weight: gradients");
      expect(await page.locator("figure details table").count()).toBe(names.length);
      const drawn = await page
        .locator(".mistake img")
        .evaluateAll((all) => all.map((img) => (img as unknown as { naturalWidth: number }).naturalWidth));
      expect(drawn.length).toBeGreaterThan(3);
      expect(new Set(drawn)).toEqual(new Set([8]));
      expect(await page.locator(".classes tbody tr").count()).toBe(5);
      // The pages's policy forbids what it does not hold itself.
      expect(await page.evaluate("fetch('https://example.org').then(() => 'sent', () => 'refused')")).toBe(
        "refused",
      );
      expect(requests).toEqual([]);
      expect(complaints.filter((text) => !text.includes("Content Security Policy"))).toEqual([]);
    });

    test("light and dark as the system says, or as the reader chooses by key", async () => {
      const { page, complaints } = await open("dark", 1280);
      expect(await groundOf(page)).toBe("rgb(14, 17, 22)");
      const button = page.locator("#theme");
      await page.keyboard.press("Tab");
      expect(await page.evaluate("document.activeElement.id")).toBe("theme");
      await page.keyboard.press("Enter");
      expect(await button.innerText()).toBe("Theme: light");
      expect(await groundOf(page)).toBe("rgb(245, 246, 248)");
      const line = await page
        .locator("figure.line svg path[stroke]")
        .first()
        .evaluate((path) => getComputedStyle(path).stroke);
      await page.keyboard.press("Enter");
      expect(await groundOf(page)).toBe("rgb(14, 17, 22)");
      expect(
        await page
          .locator("figure.line svg path[stroke]")
          .first()
          .evaluate((path) => getComputedStyle(path).stroke),
      ).not.toBe(line);
      await page.keyboard.press("Enter");
      expect(await button.innerText()).toBe("Theme: auto");
      expect(complaints).toEqual([]);
    });

    test("on a phone nothing is wider than the screen", async () => {
      const { page } = await open("light", 360);
      expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(360);
      const text = await page
        .locator("figure svg text")
        .first()
        .evaluate((element) => element.getBoundingClientRect().height);
      expect(text).toBeGreaterThan(9);
    });
  },
);

test("a loop of one's own has curves over steps, and no empty sections", async () => {
  const run = recordRun({ folder, name: "own", options: { depth: 2 } });
  for (let step = 1; step <= 20; step++) run.log({ loss: 1 / step, reward: step }, step);
  await run.close();
  const page = await reportPage(run.path!);
  expect([...page.matchAll(/<section id="(\w+)"/g)].map((match) => match[1])).toEqual(["curves", "facts"]);
  expect(page).toContain('aria-label="Reward"');
  expect(page).not.toMatch(/undefined|\[object/);
});
