import { execFileSync, spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import ts from "typescript-6";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { FileError } from "../../base/errors.ts";
import { openFile, readFile, writeFileAtomic } from "./files.ts";

let folder = "";
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "netwright-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
/** A failure's message, with the temporary folder's name taken out. */
const messageOf = async (attempt: Promise<unknown>): Promise<string> => {
  const error = await attempt.then(
    () => expect.unreachable("it succeeded"),
    (reason) => reason,
  );
  expect(error).toBeInstanceOf(FileError);
  return error.message.replaceAll(folder, "FOLDER");
};

describe("reading", () => {
  test("large files, read in parallel parts, come back whole", async () => {
    for (const length of [4 * 2 ** 20 - 1, 8 * 2 ** 20 + 1, 33_333_333]) {
      const content = new Uint8Array(length).map((_, i) => (i ^ (i >>> 9)) & 255);
      writeFileSync(join(folder, "large"), content);
      expect(Buffer.compare(await readFile(join(folder, "large")), content)).toBe(0);
    }
  });

  test("what is not a file says so", async () => {
    expect(await messageOf(readFile(folder))).toMatchInlineSnapshot(
      `"cannot read "FOLDER": it is a folder; name a file"`,
    );
    expect(await messageOf(readFile(join(folder, "missing")))).toMatchInlineSnapshot(
      `"cannot read "FOLDER/missing": there is no such file or folder; check the path"`,
    );
    expect(await messageOf(readFile("/dev/null"))).toMatchInlineSnapshot(
      `"cannot read "/dev/null": it is not a regular file"`,
    );
    const relative = await messageOf(readFile("surely/missing"));
    expect(relative.replaceAll(process.cwd(), "HERE")).toMatchInlineSnapshot(
      `"cannot read "surely/missing" (HERE/surely/missing): there is no such file or folder; check the path"`,
    );
  });

  test("a file that shrinks while it is read", async () => {
    const path = join(folder, "shrinks");
    writeFileSync(path, new Uint8Array(1000));
    const file = await openFile(path);
    writeFileSync(path, new Uint8Array(10));
    expect(await messageOf(file.readAt(0, new Uint8Array(1000)))).toMatchInlineSnapshot(
      `"cannot read "FOLDER/shrinks": it ends at byte 10, 990 bytes before what was asked for; the file is cut short or was changed while being read"`,
    );
    await file.close();
  });
});

describe("writing", () => {
  test("one piece, many pieces, pieces made later, shared memory", async () => {
    const path = join(folder, "out");
    await writeFileAtomic(path, bytes("one"));
    expect(readFileSync(path, "utf8")).toBe("one");
    await writeFileAtomic(path, [bytes("a"), bytes(""), bytes("b")]);
    expect(readFileSync(path, "utf8")).toBe("ab");
    await writeFileAtomic(
      path,
      (async function* () {
        yield bytes("later");
      })(),
    );
    expect(readFileSync(path, "utf8")).toBe("later");
    const shared = new Uint8Array(new SharedArrayBuffer(3)).fill(65);
    await writeFileAtomic(path, shared);
    expect(readFileSync(path, "utf8")).toBe("AAA");
    await writeFileAtomic(path, []);
    expect(statSync(path).size).toBe(0);
    expect(readdirSync(folder)).toEqual(["out"]);
  });

  test("keeps permissions, follows symbolic links, takes long names", async () => {
    const path = join(folder, "private");
    writeFileSync(path, "old");
    chmodSync(path, 0o600);
    symlinkSync("private", join(folder, "link"));
    await writeFileAtomic(join(folder, "link"), bytes("new"));
    expect(readFileSync(path, "utf8")).toBe("new");
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(lstatSync(join(folder, "link")).isSymbolicLink()).toBe(true);
    await writeFileAtomic(join(folder, "n".repeat(255)), bytes("x"));
  });

  test("an error of the content comes back as it is, and the old file stays", async () => {
    const path = join(folder, "out");
    await writeFileAtomic(path, bytes("old"));
    const broken = function* (): Generator<Uint8Array> {
      yield bytes("new");
      throw new RangeError("no more");
    };
    await expect(writeFileAtomic(path, broken())).rejects.toThrow(new RangeError("no more"));
    expect(readFileSync(path, "utf8")).toBe("old");
    expect(readdirSync(folder)).toEqual(["out"]);
  });

  test("places that cannot be written", async () => {
    expect(await messageOf(writeFileAtomic(join(folder, "no/such/file"), bytes("x")))).toMatchInlineSnapshot(
      `"cannot write "FOLDER/no/such/file": there is no such file or folder; check the path; nothing was written"`,
    );
    expect(await messageOf(writeFileAtomic(folder, bytes("x")))).toMatchInlineSnapshot(
      `"cannot write "FOLDER": it is a folder; name a file; nothing was written"`,
    );
    expect(await messageOf(writeFileAtomic("/dev/full", bytes("x")))).toMatchInlineSnapshot(
      `"cannot write "/dev/full": it is not a regular file; name another"`,
    );
    expect(existsSync("/dev/full")).toBe(true);
  });

  test("a full disk: the old file is intact, nothing is left behind", async ({ skip }) => {
    const disk = join(folder, "disk");
    mkdirSync(disk);
    try {
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], { stdio: "ignore" });
    } catch {
      skip("mounting a small file system needs root");
    }
    try {
      const path = join(disk, "model.safetensors");
      await writeFileAtomic(path, new Uint8Array(400_000).fill(1));
      const large = Array.from({ length: 10 }, () => new Uint8Array(100_000));
      expect(await messageOf(writeFileAtomic(path, large))).toMatchInlineSnapshot(
        `"cannot write "FOLDER/disk/model.safetensors": the disk is full; free some space or choose another folder; the old file is unchanged"`,
      );
      expect(readFileSync(path)).toEqual(Buffer.alloc(400_000, 1));
      expect(await messageOf(writeFileAtomic(join(disk, "other"), large))).toMatchInlineSnapshot(
        `"cannot write "FOLDER/disk/other": the disk is full; free some space or choose another folder; nothing was written"`,
      );
      expect(readdirSync(disk)).toEqual(["model.safetensors"]);
    } finally {
      execFileSync("umount", [disk]);
    }
  });

  test("what a killed process left behind is removed by the next that writes there", async () => {
    const place = join(folder, "leftovers");
    mkdirSync(place);
    const { pid } = spawnSync(process.execPath, ["--version"]);
    const name = (id: number): string => join(place, `.model.${id}-abc-0.tmp`);
    for (const id of [pid, process.pid]) {
      writeFileSync(name(id), "part");
      utimesSync(name(id), new Date(0), new Date(0));
    }
    writeFileSync(join(place, `.other.${pid}-abc-0.tmp`), "part");
    await writeFileAtomic(join(place, "model"), bytes("x"));
    expect(readdirSync(place).sort()).toEqual(
      [`.model.${process.pid}-abc-0.tmp`, `.other.${pid}-abc-0.tmp`, "model"].sort(),
    );
  });

  test("a process killed while writing leaves the old or the new file, never a part", async () => {
    compile(["platform/node/files.ts", "platform/file-errors.ts", "base/errors.ts"], folder);
    const path = join(folder, "out");
    const program = `
      import { writeFileAtomic } from "./platform/node/files.js";
      const versions = [1, 2].map((n) => Array.from({ length: 20 }, () => new Uint8Array(100_000).fill(n)));
      for (let i = 0; ; i++) {
        await writeFileAtomic(process.argv[2], versions[i % 2]);
        if (i === 0) console.log("started");
      }`;
    writeFileSync(join(folder, "writer.mjs"), program);
    for (let round = 0; round < 8; round++) {
      const child = spawn(process.execPath, [join(folder, "writer.mjs"), path]);
      await new Promise((resolve) => child.stdout.once("data", resolve));
      await new Promise((resolve) => setTimeout(resolve, 3 + 7 * round));
      child.kill("SIGKILL");
      await new Promise((resolve) => child.once("exit", resolve));
      const content = readFileSync(path);
      expect(content.length).toBe(2_000_000);
      expect(content.every((byte) => byte === content[0])).toBe(true);
    }
  });

  test("a process that exits while writing takes its temporary file with it", () => {
    compile(["platform/node/files.ts", "platform/file-errors.ts", "base/errors.ts"], folder);
    const program = `
      import { writeFileAtomic } from "./platform/node/files.js";
      import { readdirSync } from "node:fs";
      await writeFileAtomic("out/file", (function* () {
        yield new Uint8Array(10);
        console.log(readdirSync("out").length);
        process.exit(3);
      })());`;
    mkdirSync(join(folder, "out"));
    writeFileSync(join(folder, "exits.mjs"), program);
    const run = spawnSync(process.execPath, ["exits.mjs"], { cwd: folder, encoding: "utf8" });
    expect([run.status, run.stdout]).toEqual([3, "1\n"]);
    expect(readdirSync(join(folder, "out"))).toEqual([]);
  });
});

/** JavaScript of a few source files, for a process of its own. */
function compile(files: readonly string[], outFolder: string): void {
  const { ESNext: target } = ts.ScriptTarget;
  const compilerOptions = { target, module: ts.ModuleKind.ESNext, rewriteRelativeImportExtensions: true };
  writeFileSync(join(outFolder, "package.json"), '{ "type": "module" }');
  for (const file of files) {
    const source = readFileSync(join(import.meta.dirname, "../..", file), "utf8");
    const out = join(outFolder, file.replace(/\.ts$/, ".js"));
    mkdirSync(dirname(out), { recursive: true });
    writeFileSync(out, ts.transpileModule(source, { compilerOptions }).outputText);
  }
}
