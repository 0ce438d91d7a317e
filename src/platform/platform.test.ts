import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deflateRawSync, gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { FileError, PlatformError } from "../base/errors.ts";
import * as browser from "./browser.ts";
import * as node from "./node.ts";
import type { Platform } from "./platform.ts";

// The type checker compares both modules with the interface here.
const platforms: Record<string, Platform> = { node, browser };
const content = Uint8Array.from({ length: 3_000_000 }, (_, i) => (i * 7919) >>> 5);

let folder = "";
let server: Server;
/** The same file as each platform names it: a path in Node, a URL for the browser. */
const paths: Record<string, (name: string) => string> = {};

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "netwright-"));
  writeFileSync(join(folder, "file.bin"), content);
  server = createServer((request, response) => {
    const url = request.url ?? "";
    if (url === "/reset") return void response.socket?.destroy();
    if (!url.endsWith("/file.bin")) return void response.writeHead(404).end();
    const range = /bytes=(\d+)-(\d+)/.exec(request.headers.range ?? "");
    const length = content.length;
    if (!range || url.startsWith("/whole")) {
      return void response.writeHead(200, { "content-length": length }).end(content);
    }
    const [from, to] = [Number(range[1]), Math.min(Number(range[2]), length - 1)];
    const head = { "content-range": `bytes ${from}-${to}/${length}` };
    response.writeHead(206, head).end(content.subarray(from, to + 1));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  paths["node"] = (name) => join(folder, name);
  paths["browser"] = (name) => `http://127.0.0.1:${(server.address() as AddressInfo).port}/${name}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
  rmSync(folder, { recursive: true });
});

describe.each(Object.keys(platforms))("%s", (name) => {
  const platform = platforms[name]!;
  const at = (file: string): string => paths[name]!(file);

  test("reads a file whole, in ranges and in chunks", async () => {
    expect(Buffer.compare(await platform.readFile(at("file.bin")), content)).toBe(0);
    expect(await platform.fileSize(at("file.bin"))).toBe(content.length);

    const file = await platform.openFile(at("file.bin"));
    expect(file.sizeBytes).toBe(content.length);
    const range = new Uint8Array(1000);
    await file.readAt(2_345_678, range);
    expect(range).toEqual(content.slice(2_345_678, 2_346_678));
    await file.readAt(5, new Uint8Array(0));
    await expect(file.readAt(content.length - 10, new Uint8Array(11))).rejects.toThrow(FileError);
    await file.close();

    const chunks: Uint8Array[] = [];
    for await (const chunk of platform.readChunks(at("file.bin"), { chunkBytes: 700_000 }))
      chunks.push(chunk);
    expect(chunks.map((chunk) => chunk.length)).toEqual([700_000, 700_000, 700_000, 700_000, 200_000]);
    expect(Buffer.compare(Buffer.concat(chunks), content)).toBe(0);
  });

  test("a missing file: no size, and an error that names it", async () => {
    expect(await platform.fileSize(at("missing.bin"))).toBeUndefined();
    for (const attempt of [platform.readFile, platform.openFile]) {
      const error = await attempt(at("missing.bin")).catch((reason) => reason);
      expect(error).toBeInstanceOf(FileError);
      expect(error.message).toContain("missing.bin");
    }
  });

  test("sha256 of texts around the block size, in one and in many updates", () => {
    for (const length of [0, 1, 55, 56, 63, 64, 65, 119, 120, 128, 1000, 100_000]) {
      const bytes = content.subarray(0, length);
      const expected = createHash("sha256").update(bytes).digest("hex");
      expect(platform.sha256().update(bytes).hex()).toBe(expected);
      const running = platform.sha256();
      for (let from = 0, step = 1; from < length; from += step, step = (step * 5) % 97) {
        running.update(bytes.subarray(from, Math.min(length, from + step)));
      }
      expect(running.hex()).toBe(expected);
    }
  });

  test("gunzip gives what was compressed, stops at the limit and refuses damage", async () => {
    const compressed = gzipSync(content);
    const result = await platform.gunzip(compressed, { maxBytes: content.length });
    expect(Buffer.compare(result, content)).toBe(0);
    const bomb = gzipSync(new Uint8Array(50_000_000));
    await expect(platform.gunzip(bomb, { maxBytes: 1_000_000 })).rejects.toThrowErrorMatchingInlineSnapshot(
      `[FileError: decompresses to more than the 1000000 bytes allowed; raise the limit if the file is trusted]`,
    );
    for (const damaged of [compressed.subarray(0, 1000), Uint8Array.from([1, 2, 3]), new Uint8Array(0)]) {
      await expect(platform.gunzip(damaged, { maxBytes: content.length })).rejects.toThrow(
        "not valid gzip data",
      );
    }
  });

  test("inflateRaw gives what was deflated, stops at the limit and refuses damage", async () => {
    const compressed = deflateRawSync(content);
    const result = await platform.inflateRaw(compressed, { maxBytes: content.length });
    expect(Buffer.compare(result, content)).toBe(0);
    expect(await platform.inflateRaw(deflateRawSync(new Uint8Array(0)), { maxBytes: 0 })).toHaveLength(0);
    const bomb = deflateRawSync(new Uint8Array(50_000_000));
    await expect(platform.inflateRaw(bomb, { maxBytes: 1_000_000 })).rejects.toThrow(
      "more than the 1000000 bytes",
    );
    const damaged = compressed.subarray(0, 1000);
    await expect(platform.inflateRaw(damaged, { maxBytes: content.length })).rejects.toThrow(
      "not valid deflate data",
    );
  });

  test("downloads up to a limit", async () => {
    const url = paths["browser"]!("file.bin");
    expect(await platform.download(url, { maxBytes: content.length })).toHaveLength(content.length);
    await expect(platform.download(url, { maxBytes: 1000 })).rejects.toThrow(
      "larger than the 1000 bytes allowed",
    );
    await expect(platform.download(paths["browser"]!("x"), { maxBytes: 1 })).rejects.toThrow("404");
    await expect(platform.download(paths["browser"]!("reset"), { maxBytes: 1 })).rejects.toThrow("no answer");
  });

  test("clocks go forward, facts are sane", async () => {
    if (name === "browser") vi.stubGlobal("navigator", { userAgent: "a browser", hardwareConcurrency: 8 });
    const before = platform.monotonicMs();
    await platform.yieldToEventLoop();
    expect(platform.monotonicMs()).toBeGreaterThan(before);
    expect(platform.sinceStartMs()).toBeGreaterThan(0);
    expect(platform.availableParallelism()).toBeGreaterThanOrEqual(1);
    expect(platform.terminal("stdout").columns).toBeGreaterThan(0);
    expect(platform.env("NETWRIGHT_SURELY_UNSET")).toBeUndefined();
    expect(platform.machine().runtime).not.toBe("");
    expect(platform.joinPath("folder", "name")).toBe("folder/name");
    expect(platform.resolvePackageFile("no-such-package", "file")).toBeUndefined();
    platform.onInterrupt(() => {})();
    expect(platform.processors().threads).toBe(platform.availableParallelism());
    expect(platform.packageVersion("no-such-package")).toBeUndefined();
    vi.unstubAllGlobals();
  });
});

describe("folders and modules in Node", () => {
  test("a file grows, a new folder is new once, a list is by name", async () => {
    const runs = join(folder, "some", "runs");
    expect(await node.makeNewFolder(runs)).toBe(true);
    expect(await node.makeNewFolder(runs)).toBe(false);
    await node.appendFile(join(runs, "b.txt"), new TextEncoder().encode("one\n"));
    await node.appendFile(join(runs, "b.txt"), new TextEncoder().encode("two\n"));
    await node.makeNewFolder(join(runs, "a"));
    expect(new TextDecoder().decode(await node.readFile(join(runs, "b.txt")))).toBe("one\ntwo\n");
    expect(await node.listFolder(runs)).toEqual([
      { name: "a", isFolder: true },
      { name: "b.txt", isFolder: false },
    ]);
    expect(await node.listFolder(join(runs, "none"))).toBeUndefined();
    await node.removeFile(join(runs, "b.txt"));
    await node.removeFile(join(runs, "b.txt"));
    expect(await node.fileSize(join(runs, "b.txt"))).toBeUndefined();
    await expect(node.appendFile(runs, new Uint8Array(1))).rejects.toThrow("it is a folder");
    expect(node.parentFolder("a/b")).toBe("a");
    expect(browser.parentFolder("a/b")).toBe("a");
  });

  test("a module is JavaScript or TypeScript; one that is not there is named", async () => {
    writeFileSync(join(folder, "module.mjs"), "export default 1; export const two = 2;");
    expect(await node.importModule(join(folder, "module.mjs"))).toMatchObject({ default: 1, two: 2 });
    writeFileSync(join(folder, "typed.ts"), "const n: number = 3;\nexport default n satisfies number;");
    expect(await node.importModule(join(folder, "typed.ts"))).toMatchObject({ default: 3 });
    await expect(node.importModule(join(folder, "none.mjs"))).rejects.toThrow("none.mjs");
  });

  test("what a program prints, or nothing", async () => {
    const output = await node.commandOutput(process.execPath, ["-p", "6 * 7"], folder);
    expect(new TextDecoder().decode(output)).toBe("42\n");
    expect(await node.commandOutput(process.execPath, ["-e", "process.exit(3)"], folder)).toBeUndefined();
    expect(await node.commandOutput("no-such-program", [], folder)).toBeUndefined();
  });
});

test("versions of packages, and of Netwright itself", () => {
  expect(node.packageVersion("koffi")).toMatch(/^\d+\.\d+\.\d+$/);
  expect(node.packageVersion("netwright")).toMatch(/^\d+\.\d+\.\d+$/);
});

test("a server that ignores ranges: the file is fetched once and read from memory", async () => {
  const file = await browser.openFile(paths["browser"]!("whole/file.bin"));
  const range = new Uint8Array(100);
  await file.readAt(1234, range);
  expect(range).toEqual(content.slice(1234, 1334));
  await expect(file.readAt(content.length, new Uint8Array(1))).rejects.toThrow(FileError);
});

test("a browser page says what it cannot do", async () => {
  await expect(browser.makeFolder("a")).rejects.toThrow(PlatformError);
  await expect(browser.writeFileAtomic("model.bin", content)).rejects.toThrowErrorMatchingInlineSnapshot(
    `[PlatformError: cannot write "model.bin": a browser page has no files; make the bytes with the format's serialize function and offer them as a download]`,
  );
});

test("text for the browser's console waits for its line's end", () => {
  const lines: string[] = [];
  const log = console.log;
  console.log = (line: string) => void lines.push(line);
  browser.write("stdout", "loss ");
  browser.write("stdout", "0.5\nacc");
  browser.write("stdout", "uracy 1\n");
  console.log = log;
  expect(lines).toEqual(["loss 0.5", "accuracy 1"]);
});
