/** Fine-tuning: adapters and their files, conversations. */
export {
  BottleneckAdapter,
  BottleneckAdapters,
  type BottleneckOptions,
  type BottleneckSettings,
  bottleneckAdapters,
  loadBottleneckAdapters,
  saveBottleneckAdapters,
} from "./bottleneck.ts";
export { type ChatTokens, chatTokens, showLoss } from "./chat-tokens.ts";
export { type Conversation, type Preference, readConversations, readPreferences } from "./conversations.ts";
export { type Finetuned, type FinetuneOptions, type FinetunePlan, finetune } from "./finetune.ts";
export { LoraAdapter, LoraAdapters, type LoraOptions, type LoraSettings, loraAdapters } from "./lora.ts";
export { ignoredLabel, type PackedTokens, type PackOptions, packTokens } from "./packing.ts";
export { loadAdapters, type SaveAdaptersOptions, saveAdapters } from "./peft.ts";
export {
  type FinetunedPreferences,
  type FinetunePreferencesOptions,
  finetunePreferences,
} from "./preferences.ts";
export { applyAdapters, loadPrompt, type PromptTuningOptions, promptTuning, savePrompt } from "./prompt.ts";
export { rematerializeLayers } from "./rematerialize-layers.ts";
export {
  type FinetuneSentencesOptions,
  finetuneSentences,
  type SentenceExample,
  type SentenceLoss,
  type SentenceLossOptions,
  sentenceLoss,
} from "./sentences.ts";
export type { DistillationSettings } from "./teacher.ts";
