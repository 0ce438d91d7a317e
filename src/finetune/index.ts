/** Fine-tuning: adapters and their files. */
export { LoraAdapter, LoraAdapters, type LoraOptions, type LoraSettings, loraAdapters } from "./lora.ts";
export { loadAdapters, type SaveAdaptersOptions, saveAdapters } from "./peft.ts";
