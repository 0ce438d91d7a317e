/**
 * The processors that this process may use, as Linux tells: affinity, a container's quota, which of them share a core, their
 * caches. Files are read through a parameter, so that machines can be made up in tests.
 */
import { processorQuota, type ReadText } from "./cgroup.ts";
import type { CacheFacts, ProcessorFacts } from "./platform.ts";

const folder = "/sys/devices/system/cpu";

/** `schedulable`: what the runtime says, where the files say nothing. */
export function processorFacts(readText: ReadText, schedulable: number): ProcessorFacts {
  const allowed = allowedProcessors(readText);
  const count = allowed?.length ?? schedulable;
  const cores = allowed === undefined ? count : coresOf(allowed, readText);
  const quota = processorQuota(readText);
  return {
    allowed: count,
    cores,
    quota,
    // Two threads of one core share its multipliers; a quota's fraction would make all threads wait for one.
    threads: Math.max(1, Math.min(cores, Math.floor(quota ?? Infinity))),
    caches: cachesOf(allowed?.[0] ?? 0, readText),
    hugePages: hugePageMode(readText),
  };
}

/** "0-3,8" as [0, 1, 2, 3, 8]. */
export function processorList(text: string): number[] {
  return text
    .trim()
    .split(",")
    .filter((part) => part !== "")
    .flatMap((part) => {
      const [first = NaN, last = first] = part.split("-").map(Number);
      return Array.from({ length: last - first + 1 }, (_, i) => first + i);
    });
}

function allowedProcessors(readText: ReadText): number[] | undefined {
  const line = /^Cpus_allowed_list:\s*(\S+)$/m.exec(readText("/proc/self/status") ?? "")?.[1];
  return line === undefined ? undefined : processorList(line);
}

function coresOf(allowed: readonly number[], readText: ReadText): number {
  if (readText(`${folder}/smt/active`)?.trim() === "0") return allowed.length;
  const cores = allowed.map(
    (cpu) => readText(`${folder}/cpu${cpu}/topology/thread_siblings_list`) ?? `${cpu}`,
  );
  return new Set(cores).size;
}

function cachesOf(cpu: number, readText: ReadText): CacheFacts[] {
  const caches: CacheFacts[] = [];
  for (let index = 0; ; index++) {
    const read = (name: string): string | undefined =>
      readText(`${folder}/cpu${cpu}/cache/index${index}/${name}`)?.trim();
    const level = read("level");
    if (level === undefined) return caches;
    const kibibytes = Number.parseInt(read("size") ?? "", 10);
    if (read("type") === "Instruction" || Number.isNaN(kibibytes)) continue;
    const sharedBy = processorList(read("shared_cpu_list") ?? `${cpu}`).length;
    const ways = Number(read("ways_of_associativity")) || undefined;
    caches.push({ level: Number(level), bytes: kibibytes * 1024, ways, sharedBy });
  }
}

function hugePageMode(readText: ReadText): ProcessorFacts["hugePages"] {
  const text = readText("/sys/kernel/mm/transparent_hugepage/enabled") ?? "";
  return /\[(always|madvise|never)\]/.exec(text)?.[1] as ProcessorFacts["hugePages"];
}
