/** `netwright doctor`: what computes on this machine, and why. */
import { write } from "#platform";
import type { CacheFacts } from "../platform/platform.ts";
import { type Diagnosis, diagnose } from "../runtime/diagnosis.ts";
import type { Command } from "./command.ts";

export const doctor: Command = {
  summary: "what computes on this machine, and why",
  usage: "netwright doctor [--json]\n\n  --json  one JSON object instead of text",
  flags: { json: { type: "boolean" } },
  run({ values }) {
    const diagnosis = diagnose();
    write("stdout", values["json"] === true ? `${JSON.stringify(diagnosis)}\n` : diagnosisText(diagnosis));
    return diagnosis.target === undefined ? 1 : 0;
  },
};

/** One fact a line. */
export function diagnosisText(diagnosis: Diagnosis): string {
  const { versions, machine, native, processors, settings } = diagnosis;
  const rows: (readonly [string, string])[] = [
    ["netwright", versions.netwright ?? "unknown"],
    ["runtime", `${machine.runtime} on ${machine.system} ${machine.architecture}`],
    ["processor", machine.processor],
    ["target", targetText(diagnosis)],
    ...(diagnosis.problem === undefined ? [] : [["because", diagnosis.problem] as const]),
    ["machine code", nativeText(native)],
    ["features", native.features.join(", ") || "none"],
    ["koffi", versions.koffi ?? "not installed"],
    ["processors", processorText(processors)],
    ["caches", processors.caches.map(cacheText).join(", ") || "unknown"],
    ["huge pages", processors.hugePages ?? "unknown"],
    ["disk cache", programsText(diagnosis.programCache)],
    ["tuned tiles", tilesText(diagnosis.tiles)],
    ["memory", diagnosis.memoryLimitBytes === undefined ? "unknown" : bytesText(diagnosis.memoryLimitBytes)],
    [
      "settings",
      Object.entries(settings)
        .map(([name, value]) => `${name}=${value}`)
        .join(" ") || "none",
    ],
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${value}\n`).join("");
}

function targetText({ target }: Diagnosis): string {
  if (target === undefined) return "none runs here";
  return `${target.name}, ${count(target.threads, "thread")}, arithmetic ${target.arithmetic}`;
}

function programsText(cache: Diagnosis["programCache"]): string {
  if (cache === undefined) return "none: set NETWRIGHT_CACHE=1 to keep them";
  if ("reason" in cache) return `none: ${cache.reason}`;
  return `${count(cache.files, "file")}, ${bytesText(cache.bytes)}, in ${cache.folder}`;
}

function tilesText(tiles: Diagnosis["tiles"]): string {
  if (tiles === undefined) return "none: netwright tune-kernels searches for them";
  return "reason" in tiles
    ? `none: ${tiles.reason}`
    : `${count(tiles.products, "product")}, in ${tiles.file}`;
}

function nativeText({ instructionSet, reasons }: Diagnosis["native"]): string {
  const why = reasons.length === 0 ? "" : ` (${reasons.join("; ")})`;
  return `${instructionSet ?? "does not run here"}${why}`;
}

function processorText({ allowed, cores, quota, threads }: Diagnosis["processors"]): string {
  const limit = quota === undefined ? "no quota" : `a quota of ${quota}`;
  return `${allowed} allowed on ${count(cores, "core")}, ${limit}: ${count(threads, "thread")} by default`;
}

const cacheText = ({ level, bytes, sharedBy }: CacheFacts): string =>
  `L${level} ${bytesText(bytes)}${sharedBy > 1 ? ` shared by ${sharedBy}` : ""}`;

const count = (n: number, noun: string): string => `${n} ${noun}${n === 1 ? "" : "s"}`;

function bytesText(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const power = Math.min(units.length - 1, Math.floor(Math.log2(Math.max(1, bytes)) / 10));
  return `${Math.round((10 * bytes) / 1024 ** power) / 10} ${units[power]}`;
}
