/** The platform in Node. Everything that bears a Node name stands in this file and in `node/`. */
import { existsSync, readFileSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { FileError } from "../base/errors.ts";
import { fetchBytes, fetchChunks } from "./fetch.ts";
import type { Sha256 } from "./platform.ts";

export { gitBlobId } from "./fetch.ts";
export { isProcessRunning, moduleUrl, processName, spawnProcess } from "./node/child.ts";
export { commandOutput, parseFlags, programArguments, programFile, setExitCode } from "./node/command.ts";
export {
  fileSize,
  joinPath,
  makeFolder,
  openFile,
  readChunks,
  readFile,
  writeFileAtomic,
} from "./node/files.ts";
export {
  absolutePath,
  appendFile,
  linkFile,
  listFolder,
  makeNewFolder,
  moveFile,
  parentFolder,
  removeFile,
} from "./node/folders.ts";
export { serveHttp } from "./node/http.ts";
export { lineEditor } from "./node/line-editor.ts";
export { mapFile } from "./node/mapped-file.ts";
export { importModule } from "./node/modules.ts";
export { appendProfilerMap, nativeHost, writeObjectFile } from "./node/native.ts";
export { privateFolder, userCacheFolder, userHome } from "./node/private-folder.ts";
export {
  env,
  machine,
  memory,
  monotonicMs,
  onInterrupt,
  sinceStartMs,
  terminal,
  write,
  yieldToEventLoop,
} from "./node/process.ts";
export { availableParallelism, processors } from "./node/processors.ts";
export { openSqlite } from "./node/sqlite.ts";
export { jpegPixels } from "./node/turbo-jpeg.ts";
export { canBlock, canShareMemory, spawnWorker } from "./node/worker.ts";
export type * from "./platform.ts";

export const platformName = "node";
export const hasEnvironment = true;
export const provesPrograms = true;
export const hasInterpreter = true;
export const hasMachineCode = true;

/** Cryptography and compression are loaded at first use: together they would add 6 ms to every start. */
const require = createRequire(import.meta.url);

export function sha256(): Sha256 {
  const { createHash } = require("node:crypto") as typeof import("node:crypto");
  const hash = createHash("sha256");
  const running: Sha256 = {
    update(bytes) {
      hash.update(bytes);
      return running;
    },
    hex: () => hash.digest("hex"),
  };
  return running;
}

export const gunzip = (bytes: Uint8Array, limits: { maxBytes: number }): Promise<Uint8Array> =>
  decompressed("gunzip", "gzip", bytes, limits);

export const inflateRaw = async (
  bytes: Uint8Array,
  limits: { maxBytes: number },
): Promise<Uint8Array<ArrayBuffer>> =>
  (await decompressed("inflateRaw", "deflate", bytes, limits)) as Uint8Array<ArrayBuffer>;

function decompressed(
  method: "gunzip" | "inflateRaw",
  format: string,
  bytes: Uint8Array,
  { maxBytes }: { maxBytes: number },
): Promise<Uint8Array> {
  const zlib = require("node:zlib") as typeof import("node:zlib");
  return new Promise((resolve, reject) => {
    // At least one byte, which nothing needs: zlib takes 0 for no limit.
    zlib[method](bytes, { maxOutputLength: Math.max(1, maxBytes) }, (cause, result) => {
      if (cause === null) resolve(result);
      else if ((cause as { code?: string }).code === "ERR_BUFFER_TOO_LARGE")
        reject(tooLarge(maxBytes, cause));
      else
        reject(
          new FileError(`not valid ${format} data (${cause.message}); the file is damaged or cut short`, {
            cause,
          }),
        );
    });
  });
}

const tooLarge = (maxBytes: number, cause: Error): FileError =>
  new FileError(
    `decompresses to more than the ${maxBytes} bytes allowed; raise the limit if the file is trusted`,
    {
      cause,
    },
  );

export const download = fetchBytes;
export const downloadChunks = fetchChunks;

export function resolvePackageFile(packageName: string, file: string): string | undefined {
  for (const origin of [join(process.cwd(), "noop.js"), import.meta.url]) {
    // The search path is asked for, not the file: a package's `exports` may hide its data.
    const folders = createRequire(origin).resolve.paths(packageName) ?? [];
    const found = folders.map((folder) => join(folder, packageName, file)).find((path) => existsSync(path));
    if (found !== undefined) return found;
  }
  return undefined;
}

export const moduleStamp = (url: string): string => {
  const { size, mtimeMs } = statSync(fileURLToPath(url));
  return `${size}@${mtimeMs}`;
};

export function packageVersion(packageName: string): string | undefined {
  const installed = resolvePackageFile(packageName, "package.json");
  try {
    // A package finds itself by its own name.
    const file = installed ?? require.resolve(`${packageName}/package.json`);
    return (JSON.parse(readFileSync(file, "utf8")) as { version?: string }).version;
  } catch {
    return undefined;
  }
}
