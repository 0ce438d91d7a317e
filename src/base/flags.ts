/**
 * The environment variables Netwright reads, each with what it does: one table.
 *
 * Rooms read them through `#platform`'s `env`; a name that is not in this table is not read anywhere.
 */
export const flags = {
  NETWRIGHT_TARGET:
    "the code generator of the `cpu` device: x64 (default where it runs), x64-avx2, x64-avx512, wasm or interpreter",
  NETWRIGHT_THREADS: "threads of the `cpu` device; default: all that the machine gives this process",
  NETWRIGHT_DEBUG: "passes of the compiler to print to standard error: trace, simplify, program, or all",
  NETWRIGHT_DATA: "the folder that data sets are read from and cached in",
  NETWRIGHT_BACKGROUND_MS:
    "programs expected to take longer than so many milliseconds run on another thread than the caller's; default 1",
  NETWRIGHT_CACHE:
    "the folder in which compiled programs are kept for later processes, or 1: the user's cache folder; default: none",
  NETWRIGHT_TILES:
    "the folder of the tiles that `netwright tune-kernels` found, or 0: none are used; default: in the user's cache folder",
  NETWRIGHT_FAULT_HANDLER: "0: a fault inside machine code does not print its kernel's name",
  NETWRIGHT_ELF:
    "the folder to which each program's machine code is written as an object file, for objdump and gdb",
  NETWRIGHT_PERF_MAP: "1: machine code is listed in /tmp/perf-PID.map, so that perf names kernels",
  NETWRIGHT_TEST_TIER: "full: tests run their exhaustive sweeps, long fuzzing and soaks",
} as const;

export type Flag = keyof typeof flags;
