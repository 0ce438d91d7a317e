/** Published models: opening folders of Hugging Face and GGUF files. */

export { modelFromConfig, type Task, type TaskModels } from "./families.ts";
export { type Pulled, type PullOptions, type PullProgress, pull } from "./hub.ts";
export {
  type LoadPretrainedOptions,
  loadPretrained,
  type Pretrained,
  type PretrainedOrigin,
} from "./load.ts";
export { type SavePretrainedOptions, savePretrained } from "./save.ts";
export { type GgufReport, type SaveGgufOptions, saveGguf } from "./save-gguf.ts";
export {
  loadSentenceEncoder,
  type Pooling,
  pooledFeatures,
  SentenceEncoder,
  type SentenceEncoderOptions,
} from "./sentences.ts";
