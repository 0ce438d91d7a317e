/** `netwright chat` through a pipe, and at a terminal. */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { root } from "../../test/source.ts";
import { Decoding, generate } from "../generate/index.ts";
import { loadPretrained, type Pretrained } from "../pretrained/index.ts";
import { ChatSession } from "./chat-session.ts";

const folder = mkdtempSync(join(tmpdir(), "netwright-chat-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const model = join(root, "test/fixtures/llama.gguf");
const program = join(root, "dist/cli/netwright.js");
const sampling = { temperature: 0, maxNewTokens: 8 };
let pretrained: Pretrained;
let decoding: Decoding;
beforeAll(async () => {
  pretrained = await loadPretrained(model, { quantized: true });
  decoding = new Decoding(pretrained.model, { maxLength: 64 });
});

const options = { system: undefined, maxLength: 64, sampling, seed: undefined };

async function said(session: ChatSession, text: string | undefined): Promise<string> {
  let all = "";
  for await (const piece of session.answer(text, new AbortController().signal)) all += piece;
  return all;
}
async function alone(messages: readonly { role: string; content: string }[]): Promise<string> {
  let all = "";
  decoding.rewind(0);
  for await (const piece of generate(pretrained, messages, { ...sampling, decoding })) all += piece;
  return all;
}

describe("ChatSession", () => {
  test("answers what a conversation gets, turn by turn; commands change it", async () => {
    const session = new ChatSession(pretrained, options);
    const [first, second] = [await said(session, "a dog"), await said(session, "a cat")];
    const user = (content: string) => ({ role: "user", content });
    const turns = [user("a dog"), { role: "assistant", content: first }, user("a cat")];
    expect(first).toBe(await alone(turns.slice(0, 1)));
    expect(second).toBe(await alone(turns));
    expect((await session.command("/retry")).next).toBe("retry");
    expect(await said(session, undefined)).toBe(second);
    await session.command("/reset");
    expect(session.messages).toEqual([]);
    await session.command("/system the bird");
    const path = join(folder, "chat.jsonl");
    const own = await said(session, "a dog");
    expect((await session.command(`/save ${path}`)).say).toBe(`2 messages are in "${path}"`);
    expect(JSON.parse(readFileSync(path, "utf8"))).toEqual({
      messages: [{ role: "system", content: "the bird" }, user("a dog"), { role: "assistant", content: own }],
    });
  });

  test("seeds and temperatures; an answer that is stopped stays as far as it came; old turns are left out", async () => {
    const session = new ChatSession(pretrained, options);
    await session.command("/temperature 2");
    await session.command("/seed 3");
    const drawn = await said(session, "a dog");
    await session.command("/reset");
    expect(await said(session, "a dog")).toBe(drawn);
    const stop = new AbortController();
    await session.command("/temperature 0");
    const pieces = session.answer("a cat", stop.signal);
    const first = await pieces.next();
    stop.abort();
    let rest = "";
    let next = await pieces.next();
    for (; !next.done; next = await pieces.next()) rest += next.value;
    expect(session.messages.at(-1)!.content).toBe(`${first.value}${rest}`);
    for (let turn = 0; turn < 6; turn++) await said(session, "the dog and the cat");
    const last = session.answer("a bird", new AbortController().signal);
    let facts = await last.next();
    while (!facts.done) facts = await last.next();
    expect(facts.value.forgotten).toBeGreaterThan(0);
    await expect(said(session, "a dog ".repeat(60))).rejects.toThrow(
      /too long: \d+ tokens, 48 fit; \/reset begins anew/,
    );
  });

  test("what is no command says so", async () => {
    const session = new ChatSession(pretrained, options);
    const message = (line: string): Promise<string> =>
      session.command(line).then(
        ({ say }) => say,
        (error: Error) => error.message,
      );
    expect([
      await message("/temprature 1"),
      await message("/temperature -1"),
      await message("/seed 1.5"),
      await message("/save"),
      await message("/save x"),
      await message("/retry"),
    ]).toMatchInlineSnapshot(`
      [
        ""/temprature" is no command; did you mean "/temperature"? /help lists them",
        "/temperature takes a number of 0 or more, got "-1"",
        "/seed takes a whole number, got "1.5"",
        "/save takes a file: /save chat.jsonl",
        "/save: nothing was said yet",
        "/retry: nothing was asked yet",
      ]
    `);
    expect(() => new ChatSession({ ...pretrained, chatTemplate: undefined }, options)).toThrow(
      "chat: the model comes without a chat template; `netwright generate --raw` goes on with a text",
    );
  });
});

const flags = ["chat", model, "--temperature", "0", "--max-new-tokens", "8", "--max-length", "64"];

describe("netwright chat", () => {
  test("through a pipe: an answer for each question, and nothing else", async () => {
    if (!existsSync(program)) throw new Error("the package is not built: npm run build, or npm test");
    const input = 'a dog\n/reset\na \\\ncat\n/reset\n"""\na\nbird"""\n/nothing\n/quit\nnever asked\n';
    const { stdout, stderr, status } = spawnSync(process.execPath, [program, ...flags], {
      input,
      encoding: "utf8",
    });
    const wanted = [];
    for (const content of ["a dog", "a \ncat", "a\nbird"])
      wanted.push(await alone([{ role: "user", content }]));
    expect(stdout).toBe(wanted.map((text) => `${text}\n`).join(""));
    expect(stderr).toBe('"/nothing" is no command /help lists them\n');
    expect(status).toBe(0);
  });

  const hasTerminal = spawnSync("script", ["--version"]).status === 0;
  test.skipIf(!hasTerminal)(
    "at a terminal: prompts, editing, Ctrl-C in an answer, Ctrl-D",
    async () => {
      // Long answers, so that there is one to stop.
      const long = [...flags.slice(0, 4), "--max-length", "4000"];
      const line = [process.execPath, program, ...long].map((part) => `'${part}'`).join(" ");
      const child = spawn("script", ["-qec", line, "/dev/null"], { stdio: ["pipe", "pipe", "inherit"] });
      let text = "";
      let at = 0;
      const until = async (pattern: RegExp): Promise<void> => {
        for (;;) {
          const found = pattern.exec(text.slice(at));
          if (found) {
            at += found.index + found[0].length;
            return;
          }
          const more = await new Promise((resolve) => child.stdout.once("data", resolve));
          text += String(more);
        }
      };
      const ended = new Promise<number | null>((resolve) => child.on("exit", resolve));
      await until(/> /);
      child.stdin.write("a dox\x7fg\r");
      await until(/a dox/);
      // The first token of the answer is there.
      await until(/\n\S/);
      child.stdin.write("\x03");
      await until(/\d+ tokens, [\d.]+ a second, stopped/);
      await until(/> /);
      child.stdin.write("half a line\x03");
      child.stdin.write("/seed 4\r");
      await until(/seed 4\x1b/);
      await until(/> /);
      child.stdin.write("\x1b[A");
      await until(/\/seed 4/);
      child.stdin.write("\x03\x04");
      expect(await ended).toBe(0);
    },
    60_000,
  );
});
