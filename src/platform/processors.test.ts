import { expect, test } from "vitest";
import { processorFacts, processorList } from "./processors.ts";

const factsOf = (files: Record<string, string>, schedulable = 8) =>
  processorFacts((path) => files[path], schedulable);
const cpu = "/sys/devices/system/cpu";

test("lists of processors", () => {
  expect(processorList("0-3,8\n")).toEqual([0, 1, 2, 3, 8]);
  expect(processorList("5")).toEqual([5]);
  expect(processorList("")).toEqual([]);
});

test("where no file says anything, what the runtime says", () => {
  expect(factsOf({})).toEqual({
    allowed: 8,
    cores: 8,
    quota: undefined,
    threads: 8,
    caches: [],
    hugePages: undefined,
  });
});

/** Eight processors, n and n + 4 on one core. */
const hyperThreads = Object.fromEntries(
  Array.from({ length: 8 }, (_, n) => [
    `${cpu}/cpu${n}/topology/thread_siblings_list`,
    `${n % 4},${(n % 4) + 4}\n`,
  ]),
);

test("two threads of a core count once", () => {
  const files = { "/proc/self/status": "Name:\tnode\nCpus_allowed_list:\t0-7\n", ...hyperThreads };
  expect(factsOf(files)).toMatchObject({ allowed: 8, cores: 4, threads: 4 });
});

test("affinity: only the processors that this process may use", () => {
  const oneCore = { "/proc/self/status": "Cpus_allowed_list:\t1,5\n", ...hyperThreads };
  expect(factsOf(oneCore)).toMatchObject({ allowed: 2, cores: 1, threads: 1 });
  const two = { "/proc/self/status": "Cpus_allowed_list:\t2-3\n", ...hyperThreads };
  expect(factsOf(two)).toMatchObject({ allowed: 2, cores: 2, threads: 2 });
});

test("a container's quota: whole processors, at least one", () => {
  const quota = (max: string) =>
    factsOf({
      "/proc/self/status": "Cpus_allowed_list:\t0-7\n",
      "/proc/self/cgroup": "0::/\n",
      "/sys/fs/cgroup/cpu.max": max,
    });
  expect(quota("250000 100000")).toMatchObject({ allowed: 8, quota: 2.5, threads: 2 });
  expect(quota("50000 100000")).toMatchObject({ quota: 0.5, threads: 1 });
  expect(quota("max 100000")).toMatchObject({ quota: undefined, threads: 8 });
});

test("data caches, and whether the system gives huge pages", () => {
  const cache = (index: number, level: string, type: string, size: string, shared: string) => ({
    [`${cpu}/cpu0/cache/index${index}/level`]: `${level}\n`,
    [`${cpu}/cpu0/cache/index${index}/type`]: `${type}\n`,
    [`${cpu}/cpu0/cache/index${index}/size`]: `${size}\n`,
    [`${cpu}/cpu0/cache/index${index}/shared_cpu_list`]: `${shared}\n`,
    ...(level === "2" && { [`${cpu}/cpu0/cache/index${index}/ways_of_associativity`]: "16\n" }),
  });
  const files = {
    ...cache(0, "1", "Data", "32K", "0"),
    ...cache(1, "1", "Instruction", "32K", "0"),
    ...cache(2, "2", "Unified", "1024K", "0"),
    ...cache(3, "3", "Unified", "32768K", "0-3"),
    "/sys/kernel/mm/transparent_hugepage/enabled": "always [madvise] never\n",
  };
  expect(factsOf(files)).toMatchObject({
    caches: [
      { level: 1, bytes: 32 * 1024, ways: undefined, sharedBy: 1 },
      { level: 2, bytes: 1024 * 1024, ways: 16, sharedBy: 1 },
      { level: 3, bytes: 32 * 1024 * 1024, sharedBy: 4 },
    ],
    hugePages: "madvise",
  });
});
