/** The lines of a compressed file of `examples/data`. */
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { projectFile } from "./example.ts";

/** Without the last line's end. */
export const dataLines = (name: string): string[] =>
  gunzipSync(readFileSync(projectFile("examples", "data", name)))
    .toString("utf8")
    .trimEnd()
    .split("\n");
