export { blockedAttention } from "./attention.ts";
export type { BlockedAttentionOptions } from "./terms.ts";
