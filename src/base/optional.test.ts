import { expect, test } from "vitest";
import { PlatformError } from "./errors.ts";
import { optionalPackage } from "./optional.ts";

const notFound = (message: string): Promise<never> =>
  Promise.reject(Object.assign(new Error(message), { code: "ERR_MODULE_NOT_FOUND" }));

test("a missing package is named with the command that installs it", async () => {
  const missing = optionalPackage("@a/b", "reading x", () => notFound("Cannot find package '@a/b'"));
  await expect(missing).rejects.toThrow(PlatformError);
  await expect(missing).rejects.toThrow(
    'reading x needs the package "@a/b", which is not installed: npm install @a/b',
  );
});

test("what is wrong inside of a package is not hidden", async () => {
  await expect(optionalPackage("a", "x", () => notFound("Cannot find package 'other'"))).rejects.toThrow(
    "other",
  );
  await expect(optionalPackage("a", "x", () => Promise.reject(new Error("broken")))).rejects.toThrow(
    "broken",
  );
});

test("an installed package is given", async () => {
  expect(await optionalPackage("a", "x", async () => 42)).toBe(42);
});
