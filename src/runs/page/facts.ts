/** What was asked for and where it ran, as tables. */
import type { Described, ModelFacts } from "../layout.ts";
import type { RunRecord } from "../read.ts";
import { numberText } from "./format.ts";
import { type Html, html } from "./html.ts";

export function factsSection({ config, environment, warnings }: RunRecord): Html {
  const { program, data, model } = config;
  const { code, packages, settings, ...machine } = environment ?? {
    packages: {},
    settings: {},
    code: undefined,
  };
  const dataRows = Object.entries(data ?? {}).map(([part, facts]) => [
    part,
    `${numberText(facts.samples)} samples: ${Object.entries(facts.columns)
      .map(([name, column]) => `${name} ${column}`)
      .join(", ")}; SHA-256 ${facts.sha256.slice(0, 12)}…`,
  ]);
  return html`<section id="facts"><h2>How it was made</h2>
${warnings.length > 0 && html`<div class="card"><h3>Warnings</h3><ul>${warnings.map(({ step, message }) => html`<li>step ${step}: ${message}</li>`)}</ul></div>`}
<div class="grid"><div class="card"><h3>Options</h3>${factTable(leaves(config.options))}</div>
<div class="card"><h3>Data</h3>${factTable(dataRows)}<h3>Program</h3>${factTable(leaves(program as never))}<h3>Code</h3>${codeFacts(code)}</div>
<div class="card"><h3>Machine</h3>${factTable([...leaves(machine as never), ...leaves(settings)])}</div>
<div class="card"><h3>Packages</h3>${factTable(leaves(packages))}</div></div>
${model && modelTable(model)}</section>`;
}

const codeFacts = (code: NonNullable<RunRecord["environment"]>["code"]): Html =>
  code === undefined
    ? html`<p>not in a git checkout</p>`
    : factTable([
        ["commit", code.commit],
        ["branch", code.branch],
        ["changed files", code.changed.length === 0 ? "none" : code.changed.join(", ")],
        ...(code.diffSha256 === undefined
          ? []
          : [["difference", `SHA-256 ${code.diffSha256.slice(0, 12)}…`]]),
      ]);

/** Leaves of nested values, by path. */
function leaves(value: Readonly<Record<string, Described>>, path = ""): [string, string][] {
  return Object.entries(value).flatMap(([key, item]): [string, string][] => {
    const name = path === "" ? key : `${path}.${key}`;
    const isNested = typeof item === "object" && item !== null && !Array.isArray(item);
    return isNested ? leaves(item as Record<string, Described>, name) : [[name, leafText(item)]];
  });
}

const leafText = (value: Described): string =>
  Array.isArray(value)
    ? value.map(leafText).join(", ")
    : typeof value === "number"
      ? numberText(value)
      : String(value);

const factTable = (rows: readonly (readonly string[])[]): Html =>
  html`<div class="scroll"><table class="facts"><tbody>${rows.map(
    ([name, value]) => html`<tr><th scope="row">${name}</th><td>${value}</td></tr>`,
  )}</tbody></table></div>`;

function modelTable({ layers, parameters, trainableParameters, name }: ModelFacts): Html {
  const rows = layers
    .filter(({ path }) => path !== "")
    .map(
      (layer) =>
        html`<tr><th scope="row">${layer.path}</th><td class="word">${layer.name}</td><td>${numberText(layer.parameters)}</td></tr>`,
    );
  const frozen = parameters - trainableParameters;
  return html`<div class="card"><h3>Model</h3><p>${name}: ${numberText(parameters)} parameters${frozen > 0 && `, ${numberText(frozen)} of them frozen`}</p>
<div class="scroll"><table><thead><tr><th scope="col">layer</th><th scope="col" class="word">class</th><th scope="col">parameters of its own</th></tr></thead><tbody>${rows}</tbody></table></div></div>`;
}
