/** Published models: opening folders of Hugging Face and GGUF files. */
export { modelFromConfig, type Task, type TaskModels } from "./families.ts";
export { type LoadPretrainedOptions, loadPretrained, type Pretrained } from "./load.ts";
export {
  loadSentenceEncoder,
  type Pooling,
  pooledFeatures,
  SentenceEncoder,
  type SentenceEncoderOptions,
} from "./sentences.ts";
