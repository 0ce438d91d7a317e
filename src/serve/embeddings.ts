/** `/v1/embeddings`: texts as vectors. */
import type { SentenceEncoder } from "../pretrained/index.ts";
import { ApiError, wrongField } from "./api-error.ts";
import { Fields } from "./fields.ts";

export interface ServedEncoder {
  readonly name: string;
  readonly encoder: SentenceEncoder;
}

/** Texts of one request at most. */
const mostTexts = 256;

export async function embeddings(body: unknown, { name, encoder }: ServedEncoder): Promise<object> {
  const fields = new Fields(body, ["model", "input", "encoding_format", "user"]);
  const model = fields.string("model");
  if (model !== name)
    throw new ApiError(
      404,
      `there is no model ${JSON.stringify(model ?? null).slice(0, 60)} for embeddings; this server has "${name}"`,
      {
        ...{ param: "model", code: "model_not_found" },
      },
    );
  const format = fields.string("encoding_format") ?? "float";
  if (format !== "float" && format !== "base64")
    throw wrongField("encoding_format", '"float" or "base64"', format);
  const texts = fields.strings("input", mostTexts);
  if (texts === undefined || texts.length === 0 || texts.includes(""))
    throw wrongField("input", `a text or up to ${mostTexts} of them, none empty`, fields.get("input"));
  const vectors = await encoder.encode(texts);
  const tokens = texts.reduce(
    (sum, text) => sum + Math.min(encoder.maxTokens, encoder.tokenizer.encode(text).ids.length),
    0,
  );
  return {
    object: "list",
    model: name,
    data: vectors.map((vector, index) => ({
      ...{ object: "embedding", index, embedding: format === "float" ? [...vector] : base64(vector) },
    })),
    usage: { prompt_tokens: tokens, total_tokens: tokens },
  };
}

/** Bytes of f32, the least first. */
function base64(vector: Float32Array): string {
  const bytes = new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength);
  let text = "";
  for (let at = 0; at < bytes.length; at += 0x8000)
    text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return btoa(text);
}
