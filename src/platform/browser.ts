/** The platform in a browser: paths are URLs, nothing is written, workers come from Blob URLs. */
import { FileError, PlatformError } from "../base/errors.ts";
import { fetchBytes, fetchChunks, request } from "./fetch.ts";

import type {
  FileContent,
  FileReader,
  JpegSize,
  MachineFacts,
  MemoryFacts,
  ProcessorFacts,
  TerminalFacts,
} from "./platform.ts";

export { spawnWorker } from "./browser-worker.ts";
export type * from "./platform.ts";
export { sha256 } from "./sha256.ts";

export const platformName = "browser";

const unlimited = { maxBytes: Number.MAX_SAFE_INTEGER };

export const readFile = (path: string): Promise<Uint8Array<ArrayBuffer>> => fetchBytes(path, unlimited);
export { gitBlobId } from "./fetch.ts";
export const download = fetchBytes;
export const downloadChunks = fetchChunks;

/** With a server that answers range requests a range travels alone, else the file is fetched once, whole. */
export async function openFile(path: string): Promise<FileReader> {
  const probe = await request(path, { headers: { Range: "bytes=0-0" } });
  await probe.body?.cancel();
  const total = /\/(\d+)$/.exec(probe.headers.get("Content-Range") ?? "")?.[1];
  if (probe.status !== 206 || total === undefined) return inMemory(path, await readFile(path));
  const sizeBytes = Number(total);
  return {
    path,
    sizeBytes,
    async readAt(position, into) {
      if (into.length === 0) return;
      const headers = { Range: `bytes=${position}-${position + into.length - 1}` };
      const body = new Uint8Array(await (await request(path, { headers })).arrayBuffer());
      if (body.length !== into.length) throw endsEarly(path, position + body.length);
      into.set(body);
    },
    close: async () => {},
  };
}

function inMemory(path: string, bytes: Uint8Array): FileReader {
  return {
    path,
    sizeBytes: bytes.length,
    async readAt(position, into) {
      if (position + into.length > bytes.length) throw endsEarly(path, bytes.length);
      into.set(bytes.subarray(position, position + into.length));
    },
    close: async () => {},
  };
}

const endsEarly = (path: string, at: number): FileError =>
  new FileError(`cannot read "${path}": it ends at byte ${at}, before what was asked for`);

export async function* readChunks(
  path: string,
  { chunkBytes = 2 ** 20 }: { chunkBytes?: number } = {},
): AsyncGenerator<Uint8Array> {
  const file = await openFile(path);
  for (let at = 0; at < file.sizeBytes; at += chunkBytes) {
    const chunk = new Uint8Array(Math.min(chunkBytes, file.sizeBytes - at));
    await file.readAt(at, chunk);
    yield chunk;
  }
}

export async function fileSize(path: string): Promise<number | undefined> {
  const response = await fetch(path, { method: "HEAD" }).catch(() => undefined);
  const length = response?.ok ? response.headers.get("Content-Length") : null;
  return length === null || length === undefined ? undefined : Number(length);
}

export async function writeFileAtomic(path: string, _content: FileContent): Promise<void> {
  throw new PlatformError(
    `cannot write "${path}": a browser page has no files; make the bytes with the format's serialize function and offer ` +
      "them as a download",
  );
}

export async function makeFolder(path: string): Promise<void> {
  throw new PlatformError(`cannot make the folder "${path}": a browser page has no files`);
}

export async function appendFile(path: string, _bytes: Uint8Array): Promise<void> {
  throw new PlatformError(`cannot write "${path}": a browser page has no files`);
}
export async function moveFile(_from: string, to: string): Promise<void> {
  throw new PlatformError(`cannot write "${to}": a browser page has no files`);
}
export async function linkFile(_target: string, path: string): Promise<void> {
  throw new PlatformError(`cannot write "${path}": a browser page has no files`);
}
export async function removeFile(path: string): Promise<void> {
  throw new PlatformError(`cannot remove "${path}": a browser page has no files`);
}
export async function makeNewFolder(path: string): Promise<boolean> {
  throw new PlatformError(`cannot make the folder "${path}": a browser page has no files`);
}
export const listFolder = async (_path: string): Promise<undefined> => undefined;
export const absolutePath = (path: string): string => path;
export const parentFolder = (path: string): string => path.replace(/\/?[^/]*$/, "");

export const joinPath = (folder: string, name: string): string => `${folder.replace(/\/+$/, "")}/${name}`;

export const gunzip = (bytes: Uint8Array, limits: { maxBytes: number }): Promise<Uint8Array> =>
  decompressed("gzip", "gzip", bytes, limits);

export const inflateRaw = (
  bytes: Uint8Array,
  limits: { maxBytes: number },
): Promise<Uint8Array<ArrayBuffer>> => decompressed("deflate-raw", "deflate", bytes, limits);

async function decompressed(
  method: CompressionFormat,
  format: string,
  bytes: Uint8Array,
  { maxBytes }: { maxBytes: number },
): Promise<Uint8Array<ArrayBuffer>> {
  const compressed = new Response(bytes as Uint8Array<ArrayBuffer>).body!;
  const stream = compressed.pipeThrough(new DecompressionStream(method));
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  let total = 0;
  const reader = stream.getReader();
  for (;;) {
    const { done, value } = await reader.read().catch((cause) => {
      throw new FileError(`not valid ${format} data; the file is damaged or cut short`, { cause });
    });
    if (done) return new Uint8Array(await new Blob(pieces).arrayBuffer());
    total += value.length;
    if (total > maxBytes) {
      await reader.cancel();
      throw new FileError(
        `decompresses to more than the ${maxBytes} bytes allowed; raise the limit if the file is trusted`,
      );
    }
    pieces.push(value);
  }
}

export async function openSqlite(path: string): Promise<never> {
  throw new PlatformError(`cannot open "${path}": a browser page has no SQLite files`);
}

export function spawnProcess(): never {
  throw new PlatformError("a browser page has no processes");
}
export const processName = (): string => "browser";
export const isProcessRunning = (_name: string): undefined => undefined;
export const moduleUrl = (path: string): string => new URL(path, location.href).href;
export const importModule = (path: string): Promise<Readonly<Record<string, unknown>>> =>
  import(/* @vite-ignore */ moduleUrl(path));

/** Packages are a matter of folders, which a page does not see. */
export const resolvePackageFile = (_packageName: string, _file: string): string | undefined => undefined;

export const nativeHost = (): { readonly reason: string } => ({
  reason: "a browser page cannot run machine code",
});

export const jpegPixels = async (_bytes: Uint8Array, _size: JpegSize, _into: Uint8Array) => false;

export const mapFile = (_path: string): { readonly reason: string } => ({
  reason: "a browser page maps no files",
});
export const privateFolder = (
  _path: string,
  _options?: { readonly makes?: boolean },
): { readonly reason: string } => ({
  reason: "a browser page has no files",
});
export const userHome = (): string => "";
export const userCacheFolder = (): string => "";
export const moduleStamp = (url: string): string => url;
export const appendProfilerMap = (_text: string): void => {};
export const writeObjectFile = (_folder: string, _name: string, _bytes: Uint8Array): void => {};

export const availableParallelism = (): number => Math.max(1, navigator.hardwareConcurrency || 1);

export function processors(): ProcessorFacts {
  const count = availableParallelism();
  return {
    ...{ allowed: count, cores: count, threads: count, caches: [] },
    ...{ quota: undefined, hugePages: undefined },
  };
}
export const monotonicMs = (): number => performance.now();
export const sinceStartMs = (): number => performance.now();

export const memory = (): MemoryFacts => ({
  residentBytes: undefined,
  peakResidentBytes: undefined,
  limitBytes: undefined,
});

export const machine = (): MachineFacts => ({
  runtime: navigator.userAgent,
  system: "browser",
  architecture: "unknown",
  processor: "unknown",
});

export const lineEditor = (): Promise<never> =>
  Promise.reject(new PlatformError("a browser page has no standard input"));
export const serveHttp = (): Promise<never> =>
  Promise.reject(new PlatformError("a browser page cannot be a server"));

/** A page has no command line. */
export const programArguments = (): readonly string[] => [];
export function parseFlags(): never {
  throw new PlatformError("a browser page has no command line");
}
export const programFile = (): string | undefined => undefined;
export const commandOutput = async (): Promise<undefined> => undefined;
export const setExitCode = (_code: number): void => {};
export const packageVersion = (_packageName: string): string | undefined => undefined;

export const hasEnvironment = false;
export const provesPrograms = false;
export const hasInterpreter = false;
export const hasMachineCode = false;
export const env = (_name: string): string | undefined => undefined;

export const terminal = (_stream: "stdout" | "stderr"): TerminalFacts => ({ isTerminal: false, columns: 80 });

/** The console writes lines: text waits for its line's end. */
const unfinishedLine = { stdout: "", stderr: "" };

export function write(stream: "stdout" | "stderr", text: string): void {
  const lines = (unfinishedLine[stream] + text).split("\n");
  unfinishedLine[stream] = lines.pop()!;
  for (const line of lines) (stream === "stdout" ? console.log : console.error)(line);
}

export const onInterrupt =
  (_handler: () => void): (() => void) =>
  () => {};

/** A message to oneself: unlike a timer it is not slowed down to 4 ms. */
export function yieldToEventLoop(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(undefined);
  });
}

export const canShareMemory = (): boolean => globalThis.crossOriginIsolated === true;
/** Only workers may sleep: a page's main thread must go on answering. */
export const canBlock = (): boolean => canShareMemory() && typeof document === "undefined";
