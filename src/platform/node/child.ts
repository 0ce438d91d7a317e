/** Processes of Node's own kind, and where modules stand. */
import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { isAbsolute, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { ProcessHandle } from "../platform.ts";

/** What the source finds in scope. A process whose parent is gone ends. */
const prelude = `
const postMessage = (message) => process.send(message);
const onMessage = (handler) => { process.on("message", handler); };
process.on("disconnect", () => process.exit(1));
const data = await new Promise((resolve) => process.once("message", resolve));
`;

export function spawnProcess(source: string, data: unknown): ProcessHandle {
  const child: ChildProcess = spawn(
    process.execPath,
    [...process.execArgv, "--input-type=module", "--eval", `${prelude}{\n${source}\n}`],
    // What it prints goes to stderr: stdout belongs to the results of this program.
    { stdio: ["ignore", 2, 2, "ipc"], serialization: "advanced" },
  );
  const gone = new Promise<string>((done) => {
    child.once("error", (error) => done(`could not be started (${error.message})`));
    child.once("exit", (code, signal) =>
      done(signal === null ? `ended with exit code ${code}` : `was killed by ${signal}`),
    );
  });
  // A message to a process that has just died: its end is told by `gone`.
  const send = (message: unknown): void => void (child.connected && child.send(message as object, () => {}));
  send(data);
  return {
    pid: child.pid,
    gone,
    postMessage: send,
    onMessage: (handler) => void child.on("message", handler),
    kill: () => void child.kill("SIGKILL"),
  };
}

/** When a process began, in the kernel's ticks: a number given to another process later does not have it. */
function startOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "";
  } catch {
    return "";
  }
}

let own: string | undefined;
export function processName(): string {
  own ??= `${hostname()}/${process.pid}/${startOf(process.pid)}`;
  return own;
}

export function isProcessRunning(name: string): boolean | undefined {
  const [host, pid, start] = name.split("/");
  if (host !== hostname()) return undefined;
  try {
    process.kill(Number(pid), 0);
  } catch (error) {
    // Another user's process may not be signalled, but is there.
    return (error as { code?: string }).code === "EPERM";
  }
  return startOf(Number(pid)) === start;
}

export function moduleUrl(path: string): string {
  return /^(file|data|node):/.test(path) ? path : pathToFileURL(isAbsolute(path) ? path : resolve(path)).href;
}
