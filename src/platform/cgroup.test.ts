import { expect, test } from "vitest";
import { processorQuota } from "./cgroup.ts";

const quotaOf = (files: Record<string, string>): number | undefined => processorQuota((path) => files[path]);

test("no control groups, or no quota", () => {
  expect(quotaOf({})).toBeUndefined();
  expect(
    quotaOf({ "/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/cpu.max": "max 100000\n" }),
  ).toBeUndefined();
  const v1 = { "/proc/self/cgroup": "3:cpu,cpuacct:/\n", "/sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n" };
  expect(quotaOf({ ...v1, "/sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n" })).toBeUndefined();
});

test("version 2: the tightest of the group and those above it", () => {
  const files = {
    "/proc/self/cgroup": "0::/slice/job\n",
    "/sys/fs/cgroup/slice/job/cpu.max": "max 100000\n",
    "/sys/fs/cgroup/slice/cpu.max": "250000 100000\n",
    "/sys/fs/cgroup/cpu.max": "300000 100000\n",
  };
  expect(quotaOf(files)).toBe(2.5);
});

test("version 1, seen from inside a container whose path is the host's", () => {
  const files = {
    "/proc/self/cgroup": "5:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n0::/system.slice\n",
    "/sys/fs/cgroup/cpu/cpu.cfs_quota_us": "50000\n",
    "/sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
  };
  expect(quotaOf(files)).toBe(0.5);
});
