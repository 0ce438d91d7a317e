/**
 * What differs between Node and a browser, as one interface that both sides implement.
 *
 * `#platform` resolves to `node.ts` or `browser.ts` (export conditions of package.json); each exports these functions by
 * name. A browser page can do less: what it cannot do throws a PlatformError that says so.
 */

import type { MappedFile } from "../base/mapped-array.ts";

/** An open file, read in ranges: never more in memory than was asked for. */
export interface FileReader {
  readonly path: string;
  readonly sizeBytes: number;
  /** Fills `into` with the bytes at `position`; a FileError when the file ends before it is full. */
  readAt(position: number, into: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

export interface FolderEntry {
  readonly name: string;
  readonly isFolder: boolean;
}

/** What is written to a file: one piece, or pieces made as they are needed. */
export type FileContent = Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

/** A folder whose files nobody but this user can have written. Nothing here throws: a cache that fails is an empty one. */
export interface PrivateFolder {
  readonly path: string;
  /** A whole file; undefined when there is none of at most so many bytes, or when others could have written it. */
  read(name: string, maxBytes: number): Uint8Array<ArrayBuffer> | undefined;
  /** The whole file or nothing, whatever happens. Gives whether it is there. */
  write(name: string, bytes: Uint8Array): boolean;
  /** Removes the files that were not used for longest, until the rest has at most so many bytes. */
  trim(maxBytes: number): void;
  usage(): { readonly files: number; readonly bytes: number };
}

/** A running SHA-256. */
export interface Sha256 {
  update(bytes: Uint8Array): Sha256;
  /** The digest as 64 lower-case hexadecimal digits; no more updates after it. */
  hex(): string;
}

/** Where text goes: how wide it is, and whether a person looks at it. */
export interface TerminalFacts {
  readonly isTerminal: boolean;
  readonly columns: number;
}

/** The process's memory in bytes; undefined where the platform does not tell. */
export interface MemoryFacts {
  readonly residentBytes: number | undefined;
  readonly peakResidentBytes: number | undefined;
  /** What the process may use at most: the machine's memory, or the container's limit. */
  readonly limitBytes: number | undefined;
}

/** What a JPEG is decoded to: colours, or colours and alpha. */
export interface JpegSize {
  readonly height: number;
  readonly width: number;
  readonly channels: 3 | 4;
}

/** What runs this program, for reports. */
export interface MachineFacts {
  /** Such as `Node 22.11.0` or a browser's user agent. */
  readonly runtime: string;
  /** Such as `linux`, `darwin`, `win32` or `browser`. */
  readonly system: string;
  /** Such as `x64` or `arm64`; `unknown` where the platform does not tell. */
  readonly architecture: string;
  readonly processor: string;
}

/** A cache that holds data. */
export interface CacheFacts {
  readonly level: number;
  readonly bytes: number;
  /** In how many places of its set a line may lie; undefined where the platform does not tell. */
  readonly ways: number | undefined;
  /** How many processors share it. */
  readonly sharedBy: number;
}

/** The processors that this process may use. */
export interface ProcessorFacts {
  /** Affinity counted. */
  readonly allowed: number;
  /** The cores they belong to: two hyper-threads are one. */
  readonly cores: number;
  /** Of the container, in processors (1.5 is possible); undefined when there is none. */
  readonly quota: number | undefined;
  /** Threads worth starting. */
  readonly threads: number;
  /** From the first level on; empty where the platform does not tell. */
  readonly caches: readonly CacheFacts[];
  /** Whether the system backs memory with huge pages; undefined where it does not tell. */
  readonly hugePages: "always" | "madvise" | "never" | undefined;
}

/** Flags of a command, by name without dashes. */
export type Flags = Readonly<
  Record<
    string,
    { readonly type: "boolean" | "string"; readonly short?: string; readonly multiple?: boolean }
  >
>;

export interface ParsedFlags {
  /** A list where the flag may be given several times. */
  readonly values: Readonly<Record<string, string | boolean | readonly (string | boolean)[] | undefined>>;
  readonly positionals: readonly string[];
}

/** A thread of its own, talking in messages and over shared memory. */
export interface WorkerThread {
  postMessage(message: unknown): void;
  onMessage(handler: (message: unknown) => void): void;
  /** An error that ended the worker, its own stack included; also called when it stops without having been told to. */
  onError(handler: (error: Error) => void): void;
  terminate(): Promise<void>;
  /** Keeps the process alive while the worker runs (so it starts), or does not. Nothing in a browser. */
  ref(): void;
  unref(): void;
}

export type SqliteValue = string | number | bigint | null | Uint8Array;
export type SqliteRow = Readonly<Record<string, SqliteValue>>;

/** An open SQLite file. Errors are FormatErrors that name it. */
export interface SqliteDatabase {
  all(sql: string, ...values: SqliteValue[]): SqliteRow[];
  run(sql: string, ...values: SqliteValue[]): void;
  /** Statements without values. */
  execute(sql: string): void;
  /** All that the body does, or nothing; no other process writes meanwhile. */
  transaction<T>(body: () => T): T;
  close(): void;
}

/** A process of its own, talking in messages. */
export interface ProcessHandle {
  readonly pid: number | undefined;
  /** How it ended, in words: "was killed by SIGKILL". */
  readonly gone: Promise<string>;
  postMessage(message: unknown): void;
  onMessage(handler: (message: any) => void): void;
  kill(): void;
}

/**
 * Calls of machine code. Addresses are plain numbers, good in every thread of the process. A wrong one ends the process:
 * nothing here can check.
 */
export interface NativeHost {
  /** A function of the C library, from its definition in C. */
  libraryFunction(definition: string): (...values: readonly (number | string)[]) => number;
  /** The function at an address that takes addresses or integers and gives an integer. */
  functionAt(address: number, argumentCount: number): (...values: readonly number[]) => number;
  /**
   * The function at an address that takes one address, called on a thread of the runtime's pool: the call returns at once,
   * `onEnd` comes from the event loop when it has returned. Until then the process stays alive.
   */
  backgroundFunctionAt(address: number): (argument: number, onEnd: () => void) => void;
  /** The bytes at an address, in place: at most 4 GiB. They must stay mapped as long as the view lives. */
  view(address: number, bytes: number): ArrayBuffer;
  /** Of the last call of a library function. */
  errorNumber(): number;
}

/** Lines from standard input; at a terminal they can be edited, and earlier ones come back with the arrow keys. */
export interface LineEditor {
  readonly isTerminal: boolean;
  /** The next line, asked for with a prompt at a terminal; undefined when no more come. */
  line(prompt: string): Promise<string | undefined>;
  /** Deletes what is typed of a line; whether there was anything. */
  discard(): boolean;
  /** What Ctrl-C does, from now on; nothing until it is told. */
  onInterrupt(handler: () => void): void;
  close(): void;
}

/** What a client asks of a server. */
export interface HttpRequest {
  readonly method: string;
  /** With what follows "?". */
  readonly path: string;
  /** By name in small letters. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** Aborted when the client goes away before it has the whole answer. */
  readonly left: AbortSignal;
  /** What it sends; undefined when that is more than `maxBytes`. */
  body(maxBytes: number): Promise<Uint8Array | undefined>;
}

export interface HttpResponse {
  begin(status: number, headers: Readonly<Record<string, string>>): void;
  /** Waits while the client reads more slowly than is written. */
  write(text: string): Promise<void>;
  end(text?: string): void;
  /** Breaks the connection. */
  abort(): void;
}

/** Answers; what it throws ends the connection. */
export type HttpHandler = (request: HttpRequest, response: HttpResponse) => Promise<void>;

export interface HttpServerOptions {
  readonly host: string;
  /** 0: one that is free. */
  readonly port: number;
  /** How long a client may take to send its request; default 30 seconds. */
  readonly requestTimeoutMs?: number;
  /** Default 1024. */
  readonly maxConnections?: number;
}

export interface HttpServer {
  readonly port: number;
  /** Takes no new connections; waits for the answers that are on their way. */
  close(): Promise<void>;
  /** Breaks all connections. */
  closeNow(): void;
}

export interface Platform {
  readonly platformName: "node" | "browser";

  /** The whole file in one array. In a browser the path is a URL. */
  readFile(path: string): Promise<Uint8Array<ArrayBuffer>>;
  openFile(path: string): Promise<FileReader>;
  /**
   * The file in memory, read-only, not copied: it takes milliseconds whatever its size. It stays until nobody holds what
   * this gives. Where the platform cannot, the reason.
   */
  mapFile(path: string): MappedFile | { readonly reason: string };
  /** The file from its start, a piece at a time (1 MiB unless told otherwise), each in an array of its own. */
  readChunks(path: string, options?: { chunkBytes?: number }): AsyncIterable<Uint8Array>;
  /** The size of a regular file in bytes; undefined when there is none. */
  fileSize(path: string): Promise<number | undefined>;
  /**
   * Writes a file so that its path names either the old or the new content, whole, whatever happens: a temporary file in
   * the same folder, fsync, rename, fsync of the folder. On any failure the temporary file is removed.
   */
  writeFileAtomic(path: string, content: FileContent): Promise<void>;
  /** Adds to the end of a file, which is made where missing: whole pieces, as lines are. Where there is room for a part alone, none is left. */
  appendFile(path: string, bytes: Uint8Array): Promise<void>;
  /** Nothing happens when there is none. */
  removeFile(path: string): Promise<void>;
  /** A folder and those above it, where missing. */
  makeFolder(path: string): Promise<void>;
  /** A folder that was not there before; false when it was. Those above it are made where missing. */
  makeNewFolder(path: string): Promise<boolean>;
  /** What is in a folder, by name; undefined when there is no such folder. */
  listFolder(path: string): Promise<readonly FolderEntry[] | undefined>;
  /** The path from the root of the file system. */
  absolutePath(path: string): string;
  /** The folder a path's last name is in. */
  parentFolder(path: string): string;
  /** `folder` and `name` as one path. */
  joinPath(folder: string, name: string): string;
  /** The bytes at an http or https URL; an error above `maxBytes`. */
  download(url: string, options: { maxBytes: number }): Promise<Uint8Array>;
  /** The body at a URL as it arrives, whatever its size; `status` is 206 where the server gives the part that was asked for. */
  downloadChunks(
    url: string,
    options: { readonly headers: Readonly<Record<string, string>> },
  ): Promise<{ readonly status: number; readonly chunks: AsyncIterable<Uint8Array> }>;
  /** Gives a file another name, in place of one that has it. */
  moveFile(from: string, to: string): Promise<void>;
  /** Makes `path` stand for the file at `target`, a path from the folder of `path`; a copy of it where links are not allowed. */
  linkFile(target: string, path: string): Promise<void>;
  /** Git's name of a file's content: SHA-1 of "blob", the size and the bytes. */
  gitBlobId(bytes: Uint8Array): Promise<string>;
  /**
   * A server of HTTP.
   *
   * @throws PlatformError where it cannot listen, and always in a browser
   */
  serveHttp(options: HttpServerOptions, handler: HttpHandler): Promise<HttpServer>;
  /** Decompressed gzip data; an error above `maxBytes`, before more than that is held. */
  gunzip(bytes: Uint8Array, options: { maxBytes: number }): Promise<Uint8Array>;
  /** The same for deflated data without a header, as in ZIP archives. */
  inflateRaw(bytes: Uint8Array, options: { maxBytes: number }): Promise<Uint8Array<ArrayBuffer>>;
  /** The folder, made where missing; or why nothing that is read from there may be run. */
  privateFolder(
    path: string,
    options?: {
      /** false: a folder that is not there stays so, and is a reason. */
      readonly makes?: boolean;
    },
  ): PrivateFolder | { readonly reason: string };
  /** Where this user's programs keep what they can make again. */
  userCacheFolder(): string;
  /** The user's own folder. */
  userHome(): string;
  /** The path of a file inside an installed npm package, looked for from the working folder, then from Netwright; undefined when missing. */
  resolvePackageFile(packageName: string, file: string): string | undefined;

  /**
   * A SQLite file, made where missing unless it is only read; ":memory:" is none. Who finds it locked waits.
   *
   * @throws PlatformError where neither the platform nor a package has SQLite
   */
  openSqlite(path: string, options?: { readOnly?: boolean }): Promise<SqliteDatabase>;

  sha256(): Sha256;

  /** What calls machine code, or why this platform cannot. */
  nativeHost(): NativeHost | { readonly reason: string };
  /** Fills in the pixels of a JPEG of this size, by a faster decoder than the packages have; false where it is not there or refuses the file. */
  jpegPixels(bytes: Uint8Array, size: JpegSize, into: Uint8Array): Promise<boolean>;
  /** Adds lines to the file in which perf looks for the names of this process's generated code. Nothing in a browser. */
  appendProfilerMap(text: string): void;
  /** Writes an object file of generated code for debuggers; the folder is made. Nothing in a browser. */
  writeObjectFile(folder: string, name: string, bytes: Uint8Array): void;

  /** Threads worth starting: affinity, hyper-threads and a container's quota are respected; at least 1. */
  availableParallelism(): number;
  processors(): ProcessorFacts;
  /** Milliseconds on a clock that only goes forward. */
  monotonicMs(): number;
  /** Milliseconds since the process started (in a browser: since navigation). */
  sinceStartMs(): number;
  memory(): MemoryFacts;
  machine(): MachineFacts;
  /** Whether there is an environment at all: a constant, so that a page's bundler leaves out what only its variables ask for. */
  readonly hasEnvironment: boolean;
  /**
   * Whether compiled programs are proven in bounds before they run. Not in a page: there WebAssembly's engine checks every access, nothing
   * outside a program's own memory can be reached, and the proof is a tenth of the compiler. A constant, as above.
   */
  readonly provesPrograms: boolean;
  /** Whether programs can run in the interpreter. Not in a page, which would carry what nobody waits for. A constant, as above. */
  readonly hasInterpreter: boolean;
  /** Whether machine code may run. What only it needs of the compiler, a page goes without. A constant, as above. */
  readonly hasMachineCode: boolean;
  /** An environment variable; undefined when unset, and always in a browser. */
  env(name: string): string | undefined;

  /** What follows the program's name on the command line. */
  programArguments(): readonly string[];
  /** @throws ArgumentError for a flag that is not there, or lacks its value */
  parseFlags(args: readonly string[], flags: Flags): ParsedFlags;
  /** The file of the program that runs; undefined where there is none, and in a browser. */
  programFile(): string | undefined;
  /** What a program prints, such as git; undefined when it is not there or fails. `input` is what it reads. */
  commandOutput(command: string, args: readonly string[], folder: string): Promise<Uint8Array | undefined>;
  /** What the process says when it ends; 0 is success. */
  setExitCode(code: number): void;
  /** Of an installed package, or of Netwright itself; undefined when missing. */
  packageVersion(packageName: string): string | undefined;
  /** Size and time of the file that a module (its `import.meta.url`) was loaded from: another build, another stamp. */
  moduleStamp(url: string): string;

  terminal(stream: "stdout" | "stderr"): TerminalFacts;
  /** @throws PlatformError in a browser */
  lineEditor(): Promise<LineEditor>;
  write(stream: "stdout" | "stderr", text: string): void;
  /**
   * Calls `handler` at the first Ctrl-C (or request to terminate); a second one ends the process as usual. Returns a
   * function that takes the handler away. Nothing happens in a browser.
   */
  onInterrupt(handler: () => void): () => void;
  /** Lets timers, input and output happen before the caller goes on. */
  yieldToEventLoop(): Promise<void>;

  /** Whether workers can share memory (in a browser: only on a cross-origin isolated page). */
  canShareMemory(): boolean;
  /** Whether this thread may sleep in `Atomics.wait`. */
  canBlock(): boolean;
  /**
   * Starts a worker from self-contained source text: a script without imports that finds `data` (the structured clone of
   * `data` here, shared memory shared), `postMessage(message)` and `onMessage(handler)` in scope.
   */
  spawnWorker(source: string, data: unknown, options?: { name?: string }): WorkerThread;

  /**
   * Starts a process from source text, a module that finds `data`, `postMessage(message)` and `onMessage(handler)` in scope and may import
   * by URL. What it prints goes to stderr.
   */
  spawnProcess(source: string, data: unknown): ProcessHandle;
  /** This process, so that others can ask whether it still runs. */
  processName(): string;
  /** Whether the process of that name runs; undefined when it belongs to another machine. */
  isProcessRunning(name: string): boolean | undefined;
  /** The URL by which a module at a path is imported. */
  moduleUrl(path: string): string;
  /**
   * What a module that the user names exports. It is run: only for files that were named as programs.
   *
   * @throws FileError when there is none; PlatformError for TypeScript where nothing reads it
   */
  importModule(path: string): Promise<Readonly<Record<string, unknown>>>;
}
