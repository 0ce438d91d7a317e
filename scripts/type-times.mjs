/**
 * How long a compiler takes to check the types of all examples: `npm run types:time`, after a build. The programs of examples/ and
 * bench/, and, where test/doc-examples.test.ts has written them, those of the docs and docstrings. The best of three runs each.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";

const compilers = { "TypeScript 7": "typescript", "TypeScript 6": "typescript-6" };
const programs = { "examples and bench": "tsconfig.examples.json", "docs and docstrings": "build/doc-types" };
const limitSeconds = 3;

function check(compiler, project) {
  const args = [`node_modules/${compiler}/bin/tsc`, "-p", project, "--noEmit", "--extendedDiagnostics"];
  const { status, stdout } = spawnSync(process.execPath, args, { encoding: "utf8" });
  const fact = (name) => Number(new RegExp(`^${name}:\\s+([\\d.]+)`, "m").exec(stdout)?.[1]);
  return { status, files: fact("Files"), seconds: fact("Total time") };
}

for (const [what, project] of Object.entries(programs)) {
  if (!existsSync(project)) continue;
  for (const [name, compiler] of Object.entries(compilers)) {
    const runs = [1, 2, 3].map(() => check(compiler, project));
    const best = Math.min(...runs.map(({ seconds }) => seconds));
    const holds = best <= limitSeconds ? "" : `, more than ${limitSeconds} s`;
    console.log(`${name}: ${what}, ${runs[0].files} files: ${best.toFixed(2)} s${holds}`);
    if (runs.some(({ status }) => status !== 0)) process.exitCode = 1;
  }
}
