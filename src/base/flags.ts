/**
 * The environment variables Netwright reads, each with what it does: one table.
 *
 * Rooms read them through `#platform`'s `env`; a name that is not in this table is not read anywhere.
 */
export const flags = {
  NETWRIGHT_TARGET:
    "the code generator of the `cpu` device: wasm (default), interpreter, x64, x64-avx2 or x64-avx512",
  NETWRIGHT_THREADS: "threads of the `cpu` device; default: all that the machine gives this process",
  NETWRIGHT_DEBUG: "passes of the compiler to print to standard error: trace, simplify, program, or all",
  NETWRIGHT_DATA: "the folder that data sets are read from and cached in",
  NETWRIGHT_PERF_MAP: "1: machine code is listed in /tmp/perf-PID.map, so that perf names kernels",
  NETWRIGHT_TEST_TIER: "full: tests run their exhaustive sweeps, long fuzzing and soaks",
} as const;

export type Flag = keyof typeof flags;
