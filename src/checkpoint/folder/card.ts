/** The model card: Markdown with a head in YAML, as Hugging Face's model pages read it. */
import type { Module } from "../../nn/index.ts";
import type { FolderConfig } from "./format.ts";

export interface CardOptions {
  /** The heading; the model's class unless told. */
  readonly title?: string;
  /** What the model does, and what it was trained on. */
  readonly description?: string;
  readonly license?: string;
  readonly tags?: readonly string[];
  /** What it should not be used for. */
  readonly limitations?: string;
}

export function cardText(
  model: Module,
  config: FolderConfig,
  metrics: Readonly<Record<string, number>> | undefined,
  { title = config.model, description, license, tags = [], limitations }: CardOptions,
): string {
  const head = [
    "---",
    "library_name: netwright",
    ...(license === undefined ? [] : [`license: ${JSON.stringify(license)}`]),
    ...(tags.length === 0 ? [] : [`tags: ${JSON.stringify(tags)}`]),
    "---",
  ];
  const make = config.architecture === null ? ", (config) => new YourModel(config)" : "";
  const sections = [
    `# ${title}`,
    ...(description === undefined ? [] : [description]),
    ...(metrics === undefined ? [] : ["## Scores", metricsTable(metrics)]),
    ...(limitations === undefined ? [] : ["## Limitations", limitations]),
    "## Model",
    `${config.parameters.toLocaleString("en")} parameters.`,
    ...(config.labels === null ? [] : [`Labels: ${config.labels.join(", ")}.`]),
    ["```", String(model), "```"].join("\n"),
    "## Use",
    [
      "```ts",
      'import { loadModel } from "netwright/checkpoint";',
      "",
      `const { model } = await loadModel("this-folder"${make});`,
      "```",
    ].join("\n"),
  ];
  return `${head.join("\n")}\n\n${sections.join("\n\n")}\n`;
}

const metricsTable = (metrics: Readonly<Record<string, number>>): string =>
  [
    "| metric | value |",
    "|---|---|",
    ...Object.entries(metrics).map(
      ([name, value]) => `| ${name.replaceAll("|", "\\|")} | ${Number(value.toPrecision(6))} |`,
    ),
  ].join("\n");
