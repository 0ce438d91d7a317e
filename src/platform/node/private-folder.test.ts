import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import type { PrivateFolder } from "../platform.ts";
import { privateFolder, userCacheFolder } from "./private-folder.ts";

const root = mkdtempSync(join(tmpdir(), "netwright-private-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const isRoot = process.getuid?.() === 0;
const bytes = Uint8Array.of(1, 2, 3);

function opened(path: string): PrivateFolder {
  const folder = privateFolder(path);
  if ("reason" in folder) throw new Error(folder.reason);
  return folder;
}
const reasonOf = (path: string): string => {
  const folder = privateFolder(path);
  return "reason" in folder ? folder.reason.replaceAll(root, "ROOT") : "it was taken";
};

describe.skipIf(process.getuid === undefined)("a private folder", () => {
  test("is made, and gives what was written", () => {
    const folder = opened(join(root, "new/inner"));
    expect(statSync(folder.path).mode & 0o777).toBe(0o700);
    expect(folder.read("a", 100)).toBeUndefined();
    expect(folder.write("a", bytes)).toBe(true);
    expect(statSync(join(folder.path, "a")).mode & 0o777).toBe(0o600);
    expect(folder.read("a", 3)).toEqual(bytes);
    expect(folder.read("a", 2)).toBeUndefined();
    expect(folder.write("a", bytes.subarray(1))).toBe(true);
    expect(folder.read("a", 3)).toEqual(bytes.subarray(1));
    expect(folder.usage()).toEqual({ files: 1, bytes: 2 });
  });

  test("is refused where others may write, or where it is another's", () => {
    const open = join(root, "open");
    mkdirSync(open);
    chmodSync(open, 0o777);
    expect(reasonOf(open)).toMatchInlineSnapshot(`"others may write to "ROOT/open": chmod go-w"`);
    mkdirSync(join(open, "below"), { mode: 0o700 });
    expect(reasonOf(join(open, "below"))).toMatchInlineSnapshot(`"others may write to "ROOT/open" above it"`);
    // Others may not rename what is ours in a sticky folder.
    chmodSync(open, 0o1777);
    expect(reasonOf(join(open, "below"))).toBe("it was taken");
    symlinkSync(open, join(root, "link"));
    expect(reasonOf(join(root, "link"))).toContain("others may write");
    writeFileSync(join(root, "file"), "");
    expect(reasonOf(join(root, "file"))).toContain("cannot be used");
    expect(reasonOf("/proc/nothing")).toContain("cannot be used");
    if (!isRoot) return;
    mkdirSync(join(root, "other/below"), { recursive: true });
    chownSync(join(root, "other"), 12345, 12345);
    expect(reasonOf(join(root, "other"))).toMatchInlineSnapshot(`""ROOT/other" belongs to another user"`);
    expect(reasonOf(join(root, "other/below"))).toMatchInlineSnapshot(
      `""ROOT/other" above it belongs to another user"`,
    );
  });

  test("gives no file that others could have written", () => {
    const folder = opened(join(root, "files"));
    const path = (name: string): string => join(folder.path, name);
    for (const name of ["group", "others", "owned"]) folder.write(name, bytes);
    chmodSync(path("group"), 0o620);
    chmodSync(path("others"), 0o602);
    symlinkSync(path("owned"), path("link"));
    mkdirSync(path("folder"));
    for (const name of ["group", "others", "link", "folder"])
      expect(folder.read(name, 100), name).toBeUndefined();
    expect(folder.read("owned", 100)).toEqual(bytes);
    if (!isRoot) return;
    chownSync(path("owned"), 12345, 12345);
    expect(folder.read("owned", 100)).toBeUndefined();
  });

  test("a write that fails leaves nothing", () => {
    const folder = opened(join(root, "failing"));
    mkdirSync(join(folder.path, "taken"));
    expect(folder.write("taken", bytes)).toBe(false);
    expect(folder.write("no/where", bytes)).toBe(false);
    expect(readdirSync(folder.path)).toEqual(["taken"]);
  });

  test("loses what was not used for longest", () => {
    const folder = opened(join(root, "trimmed"));
    ["a", "b", "c", "d"].forEach((name, i) => {
      folder.write(name, new Uint8Array(100));
      utimesSync(join(folder.path, name), 1e9 + i, 1e9 + i);
    });
    // Reading is a use.
    folder.read("a", 100);
    folder.trim(250);
    expect(readdirSync(folder.path).sort()).toEqual(["a", "d"]);
    folder.trim(0);
    expect(folder.usage()).toEqual({ files: 0, bytes: 0 });
  });
});

test("the user's cache folder follows the environment", () => {
  const before = process.env["XDG_CACHE_HOME"];
  process.env["XDG_CACHE_HOME"] = "/cache";
  expect(userCacheFolder()).toBe("/cache/netwright");
  delete process.env["XDG_CACHE_HOME"];
  expect(userCacheFolder()).toMatch(/\/\.cache\/netwright$/);
  if (before !== undefined) process.env["XDG_CACHE_HOME"] = before;
});
