export { blockedAttention } from "./attention.ts";
export { type PagedAttentionOptions, type PagedTexts, pagedAttention } from "./paged.ts";
export type { BlockedAttentionOptions } from "./terms.ts";
