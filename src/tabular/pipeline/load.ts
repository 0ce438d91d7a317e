/** Pipelines from files: everything is examined before anything is built. */
import { openFile, readFile } from "#platform";
import { FormatError } from "../../base/errors.ts";
import { duplicateKey } from "../../formats/duplicate-key.ts";
import type { ColumnKind, Schema } from "../column.ts";
import { FittedPipeline, type FittedTarget } from "./fitted.ts";
import type { FittedStep } from "./operation.ts";
import { operations, tableOperations } from "./operations.ts";
import type { Stage } from "./stage.ts";
import { type StateShape, stateProblem } from "./state.ts";

const maxFileBytes = 2 ** 28;
const kinds: readonly unknown[] = ["number", "string", "boolean", "date"];

/**
 * A pipeline that `save` wrote.
 *
 * @throws FormatError when the file is no pipeline, or one of a later version; FileError when it cannot be read
 * @example
 * const rows = table({ x: [1, 2, 3] });
 * await pipeline(standardize()).fit(rows).save("pipeline.json");
 * const prepare = await loadPipeline("pipeline.json");
 * prepare.features([{ x: 2 }]).data; // [0]
 */
export async function loadPipeline(path: string): Promise<FittedPipeline> {
  const file = await openFile(path);
  await file.close();
  if (file.sizeBytes > maxFileBytes)
    throw new FormatError(`${path} has ${file.sizeBytes} bytes: that is no pipeline`);
  return parsePipeline(new TextDecoder().decode(await readFile(path)), path);
}

/**
 * A pipeline from its JSON text: out of a model's metadata, for example. `what` names it in errors.
 *
 * @throws FormatError when it is no pipeline, or one of a later version
 * @example
 * const fitted = pipeline(standardize()).fit(table({ x: [1, 2, 3] }));
 * parsePipeline(JSON.stringify(fitted)).featureNames; // ["x"]
 */
export function parsePipeline(text: string, what = "pipeline"): FittedPipeline {
  const fail = (problem: string): never => {
    throw new FormatError(`${what}: ${problem}`);
  };
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    fail(`it is no JSON: ${(cause as Error).message}`);
  }
  const twice = duplicateKey(text);
  if (twice !== undefined) fail(`${JSON.stringify(twice)} stands twice in one object`);
  const file = fieldsOf(json, fail, "the file");
  if (file.format !== "netwright pipeline") fail('it is no pipeline: "format" is not "netwright pipeline"');
  if (file.version !== 1)
    fail(`it has version ${JSON.stringify(file.version)}; this program reads version 1`);
  const missingColumns = file.missingColumns === "missing" ? "missing" : "error";
  if (file.missingColumns !== missingColumns)
    fail(`missingColumns is ${JSON.stringify(file.missingColumns)}`);
  const parts = {
    missingColumns,
    schema: schemaFrom(file.columns, fail),
    target: file.target === null ? undefined : targetFrom(file.target, fail),
    stages: listOf(file.stages, fail, "stages").map((stage, i) => stageFrom(stage, fail, `stage ${i}`)),
  } as const;
  try {
    return new FittedPipeline(parts);
  } catch (cause) {
    return fail(`its stages do not fit together: ${(cause as Error).message}`);
  }
}

type Fail = (problem: string) => never;
type Fields = Readonly<Record<string, unknown>>;

function fieldsOf(value: unknown, fail: Fail, what: string): Fields {
  if (typeof value !== "object" || value === null || Array.isArray(value)) fail(`${what} is no object`);
  return value as Fields;
}

function listOf(value: unknown, fail: Fail, what: string): readonly unknown[] {
  if (!Array.isArray(value) || value.length > 100_000) fail(`${what} is no list of a pipeline`);
  return value as readonly unknown[];
}

function nameOf(value: unknown, fail: Fail, what: string): string {
  if (typeof value !== "string" || value.length > 10_000) fail(`${what} is no name`);
  return value as string;
}

function schemaFrom(value: unknown, fail: Fail): Schema {
  const schema = new Map<string, ColumnKind>();
  listOf(value, fail, "columns").forEach((entry, i) => {
    const { name, kind } = fieldsOf(entry, fail, `column ${i}`);
    const found = nameOf(name, fail, `column ${i}`);
    if (!kinds.includes(kind)) fail(`column "${found}" has the kind ${JSON.stringify(kind)}`);
    if (schema.has(found)) fail(`column "${found}" stands there twice`);
    schema.set(found, kind as ColumnKind);
  });
  return Object.fromEntries(schema);
}

function targetFrom(value: unknown, fail: Fail): FittedTarget {
  const { name, kind, classes, step } = fieldsOf(value, fail, "target");
  if (kind === "date" || !kinds.includes(kind)) fail(`the target has the kind ${JSON.stringify(kind)}`);
  const problem = classes === null ? undefined : stateProblem({ classes }, { classes: "strings" });
  if (problem !== undefined || (classes === null && kind !== "number"))
    fail(`the target has no list of classes`);
  const fitted = step === null ? undefined : stepFrom(step, fail, "the target's step");
  if (fitted && (!fitted.operation.invert || classes !== null)) fail("the target's step cannot be undone");
  return {
    name: nameOf(name, fail, "the target"),
    kind: kind as ColumnKind,
    classes: (classes ?? undefined) as readonly string[] | undefined,
    step: fitted,
  };
}

function stageFrom(value: unknown, fail: Fail, what: string): Stage {
  const fields = fieldsOf(value, fail, what);
  if (Object.hasOwn(fields, "together")) return togetherFrom(fields, fail, what);
  const { steps, others } = fields;
  if (others !== "keep" && others !== "drop") fail(`${what}: others is ${JSON.stringify(others)}`);
  const byName = new Map<string, FittedStep>();
  listOf(steps, fail, `${what}: steps`).forEach((entry, i) => {
    const name = nameOf(fieldsOf(entry, fail, `${what}, step ${i}`).column, fail, `${what}, step ${i}`);
    if (byName.has(name)) fail(`${what} has two steps for "${name}"`);
    byName.set(name, stepFrom(entry, fail, `${what}, column "${name}"`));
  });
  return { steps: byName, others: others as "keep" | "drop" };
}

function stepFrom(value: unknown, fail: Fail, what: string): FittedStep {
  const { operation: name, state } = fieldsOf(value, fail, what);
  const operation = operations.get(nameOf(name, fail, what));
  if (!operation) return fail(`${what}: there is no operation ${JSON.stringify(name)}`);
  checkState(state, operation, fail, `${what}: ${operation.name}`);
  return { operation, state: state as FittedStep["state"] };
}

function togetherFrom({ together, columns, state }: Fields, fail: Fail, what: string): Stage {
  const tableOperation = tableOperations.get(nameOf(together, fail, what));
  if (!tableOperation) return fail(`${what}: there is no operation ${JSON.stringify(together)}`);
  const problem = stateProblem({ columns }, { columns: "strings" });
  const names = columns as readonly string[];
  if (problem !== undefined || names.length === 0) fail(`${what}: columns is no list of names`);
  checkState(state, tableOperation, fail, `${what}: ${tableOperation.name}`, names.length);
  return { names, tableOperation, state: state as FittedStep["state"] };
}

function checkState(
  state: unknown,
  operation: { readonly state: StateShape; problem?(state: any, columnCount: number): string | undefined },
  fail: Fail,
  what: string,
  columnCount = 1,
): void {
  const problem = stateProblem(state, operation.state) ?? operation.problem?.(state, columnCount);
  if (problem !== undefined) fail(`${what} ${problem}`);
}
