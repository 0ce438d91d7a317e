/**
 * How many processors a Linux control group lets this process use: containers set a quota that the kernel's count of
 * processors does not show. Files are read through a parameter, so that the rules can be tested anywhere.
 */
/** The text of a file, or undefined where there is none. */
export type ReadText = (path: string) => string | undefined;

/**
 * The tightest quota of the process's control group and those above it, in processors (1.5 is possible); undefined when
 * none is set. Version 2: `cpu.max` holds "quota period" or "max period". Version 1: two files of the cpu controller.
 */
export function processorQuota(readText: ReadText): number | undefined {
  const groups = readText("/proc/self/cgroup") ?? "";
  const quotas = groups.split("\n").flatMap((line) => {
    const [hierarchy, controllers = "", path = "/"] = line.split(":");
    if (hierarchy === "0" && controllers === "")
      return ancestors(path).map((group) => quotaV2(group, readText));
    if (controllers.split(",").includes("cpu"))
      return ancestors(path).map((group) => quotaV1(group, readText));
    return [];
  });
  const set = quotas.filter((quota) => quota !== undefined);
  return set.length === 0 ? undefined : Math.min(...set);
}

/** "/a/b" as "/a/b", "/a", "": inside a container the path may name groups of the host, of which only "" is visible. */
function ancestors(path: string): string[] {
  const parts = path.split("/").filter((part) => part !== "");
  return Array.from({ length: parts.length + 1 }, (_, i) =>
    parts
      .slice(0, parts.length - i)
      .map((part) => `/${part}`)
      .join(""),
  );
}

function quotaV2(group: string, readText: ReadText): number | undefined {
  const [quota, period] = (readText(`/sys/fs/cgroup${group}/cpu.max`) ?? "").trim().split(" ").map(Number);
  return ratio(quota, period);
}

function quotaV1(group: string, readText: ReadText): number | undefined {
  const read = (file: string): number => Number(readText(`/sys/fs/cgroup/cpu${group}/${file}`) ?? NaN);
  return ratio(read("cpu.cfs_quota_us"), read("cpu.cfs_period_us"));
}

/** Version 1 says "no quota" with −1, version 2 with "max" (NaN here). */
const ratio = (quota = NaN, period = NaN): number | undefined =>
  quota > 0 && period > 0 ? quota / period : undefined;
