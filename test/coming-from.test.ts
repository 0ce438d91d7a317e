/** The tables of the pages for newcomers name only what exists. */
import { expect, test } from "vitest";
import * as checkpoint from "../src/checkpoint/index.ts";
import * as data from "../src/data/index.ts";
import * as distributions from "../src/distributions/index.ts";
import * as losses from "../src/losses/index.ts";
import * as metrics from "../src/metrics/index.ts";
import * as nn from "../src/nn/index.ts";
import * as optim from "../src/optim/index.ts";
import * as report from "../src/report/index.ts";
import * as netwright from "../src/tensor/index.ts";
import * as train from "../src/train/index.ts";
import { readText } from "./source.ts";

const rooms = [checkpoint, data, distributions, losses, metrics, nn, optim, report, netwright, train];
const exported = new Map(rooms.flatMap((room) => Object.entries(room as Record<string, unknown>)));

/** The methods of a class and of those it extends, which need not be public. */
function methodsOf(prototype: object | null | undefined): string[] {
  if (!prototype || prototype === Object.prototype) return [];
  return [...Object.getOwnPropertyNames(prototype), ...methodsOf(Object.getPrototypeOf(prototype))];
}

/** Every method of a public class, and every function of a namespace (`random.normal`). */
const members = new Set(
  [...exported.values()].flatMap((value) => {
    if (typeof value === "function") return methodsOf(value.prototype);
    return typeof value === "object" && value !== null ? Object.keys(value) : [];
  }),
);
/** Methods of compiled functions. */
members.add("describe");
/** Words of the language, and names that the cell introduces. */
const given = new Set([
  "console",
  "forward",
  "f",
  "loss",
  "new",
  "await",
  "using",
  "class",
  "extends",
  "with",
  "of",
]);

const pages = ["pytorch", "keras", "tensorflow-js"].map((name) => `docs/coming-from-${name}.md`);

/** What stands in the second column, code by code. */
function codesOf(page: string): string[] {
  const rows = readText(page)
    .split("\n")
    .filter((line) => line.startsWith("| ") && !line.startsWith("|---"));
  const cells = rows.slice(1).map((row) => row.split(/(?<!\\)\|/)[2]!);
  return cells.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, code]) => code!));
}

test.each(pages)("%s", (page) => {
  const codes = codesOf(page);
  expect(codes.length).toBeGreaterThan(30);
  const unknown: string[] = [];
  for (const code of codes) {
    for (const [, name] of code.matchAll(/\.(\w+)\(/g))
      if (!members.has(name!)) unknown.push(`.${name}: ${code}`);
    for (const [, name] of code.matchAll(/(?:^|[^.\w])(\w+)\(/g))
      if (!exported.has(name!) && !given.has(name!)) unknown.push(`${name}: ${code}`);
    for (const [, name] of code.matchAll(/extends (\w+)/g)) if (!exported.has(name!)) unknown.push(name!);
    if (/^[a-z]\w+$/.test(code) && !exported.has(code) && !given.has(code) && code !== "onEpochEnd")
      unknown.push(code);
  }
  expect(unknown).toEqual([]);
});
