/** Lines that a person types, or that come through a pipe. */
import type { LineEditor } from "../platform.ts";

export async function lineEditor(): Promise<LineEditor> {
  const { createInterface } = await import("node:readline");
  const isTerminal = process.stdin.isTTY === true && process.stdout.isTTY === true;
  const lines = createInterface({
    input: process.stdin,
    terminal: isTerminal,
    historySize: 1000,
    removeHistoryDuplicates: true,
    ...(isTerminal && { output: process.stdout }),
  });
  // Lines come while nobody waits for one: all of a pipe at once, say.
  const ready: string[] = [];
  let isOver = false;
  let wake: (() => void) | undefined;
  let interrupted = (): void => {};
  lines.on("line", (line) => {
    ready.push(line);
    wake?.();
  });
  lines.on("close", () => {
    isOver = true;
    wake?.();
  });
  lines.on("SIGINT", () => interrupted());
  const onSignal = (): void => interrupted();
  process.on("SIGINT", onSignal);
  return {
    isTerminal,
    async line(prompt) {
      if (ready.length === 0 && !isOver && isTerminal) {
        lines.setPrompt(prompt);
        lines.prompt();
      }
      while (ready.length === 0 && !isOver)
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      return ready.shift();
    },
    discard() {
      // Control-U: what stands on the line goes, as if it had been deleted by hand.
      if (isTerminal) lines.write(null, { ctrl: true, name: "e" });
      const had = lines.line !== "";
      if (isTerminal && had) lines.write(null, { ctrl: true, name: "u" });
      return had;
    },
    onInterrupt(handler) {
      interrupted = handler;
    },
    close() {
      process.off("SIGINT", onSignal);
      lines.close();
    },
  };
}
