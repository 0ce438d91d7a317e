/** The model behind a server, with what requests need to know of it. */
import { ArgumentError } from "../base/errors.ts";
import { Batching, type BatchingOptions, OutputGrammar } from "../generate/index.ts";
import type { Pretrained } from "../pretrained/index.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { ApiError, wrongField } from "./api-error.ts";

const keptGrammars = 16;

export class ServedModel {
  readonly name: string;
  readonly pretrained: Pretrained;
  readonly tokenizer: Tokenizer;
  readonly batching: Batching;
  readonly vocabSize: number;
  /** The most answers and prompts of one request. */
  readonly most: number;
  /** By schema, the last used ones. */
  private readonly grammars = new Map<string, OutputGrammar>();

  constructor(name: string, pretrained: Pretrained, options: BatchingOptions) {
    const { model, tokenizer, config } = pretrained;
    if (tokenizer === undefined)
      throw new ArgumentError("serve: the model comes without a tokenizer, which texts need");
    this.name = name;
    this.pretrained = pretrained;
    this.tokenizer = tokenizer;
    const trained = config.has("max_position_embeddings") ? config.size("max_position_embeddings") : 2048;
    this.batching = new Batching(model, { maxLength: Math.min(trained, 4096), ...options });
    this.vocabSize = config.size("vocab_size");
    this.most = this.batching.slots;
  }

  /**
   * What `response_format` asks for.
   *
   * @throws ApiError for formats that are not known; ArgumentError for schemas
   */
  grammarOf(format: unknown): OutputGrammar | undefined {
    const { type, json_schema: described } = (format ?? { type: "text" }) as Record<string, unknown>;
    if (type === "text") return undefined;
    const schema = (described as Record<string, unknown> | null | undefined)?.["schema"];
    if (type !== "json_object" && (type !== "json_schema" || schema === undefined))
      throw wrongField(
        "response_format",
        '{ type: "text" | "json_object" } or { type: "json_schema", json_schema: { schema } }',
        format,
      );
    const key = type === "json_object" ? "" : JSON.stringify(schema);
    const known = this.grammars.get(key);
    const made =
      known ??
      (type === "json_object"
        ? OutputGrammar.json(this.tokenizer)
        : OutputGrammar.jsonSchema(schema, this.tokenizer));
    this.grammars.delete(key);
    this.grammars.set(key, made);
    if (this.grammars.size > keptGrammars) this.grammars.delete(this.grammars.keys().next().value!);
    return made;
  }

  requireName(name: string | undefined): void {
    if (name === undefined)
      throw new ApiError(400, `"model" must be a text: this server has "${this.name}"`, { param: "model" });
    if (name === this.name) return;
    throw new ApiError(404, `there is no model "${name.slice(0, 60)}"; this server has "${this.name}"`, {
      ...{ param: "model", code: "model_not_found" },
    });
  }
}
