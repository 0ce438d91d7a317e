/** Published models: opening folders of Hugging Face and GGUF files. */
export { modelFromConfig } from "./families.ts";
export { type LoadPretrainedOptions, loadPretrained, type Pretrained } from "./load.ts";
