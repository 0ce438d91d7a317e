/** The model behind a server, with what requests need to know of it. */
import { ArgumentError } from "../base/errors.ts";
import { Batching, type BatchingOptions } from "../generate/index.ts";
import type { Pretrained } from "../pretrained/index.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { ApiError } from "./api-error.ts";

export class ServedModel {
  readonly name: string;
  readonly pretrained: Pretrained;
  readonly tokenizer: Tokenizer;
  readonly batching: Batching;
  readonly vocabSize: number;
  /** The most answers and prompts of one request. */
  readonly most: number;

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

  requireName(name: string | undefined): void {
    if (name === undefined)
      throw new ApiError(400, `"model" must be a text: this server has "${this.name}"`, { param: "model" });
    if (name === this.name) return;
    throw new ApiError(404, `there is no model "${name.slice(0, 60)}"; this server has "${this.name}"`, {
      ...{ param: "model", code: "model_not_found" },
    });
  }
}
