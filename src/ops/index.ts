/**
 * Every primitive, as an op (`addOp`) and as the function that builds its node (`add`), and functions composed of them
 * (`functions/`). The README has the files in reading order.
 */
export * from "./arithmetic.ts";
export { broadcastOp, broadcastTo, expandAxes, reshape, reshapeOp, sum, sumOp } from "./broadcast.ts";
export * from "./cast.ts";
export { check, checkIndex, checkIndexOp, checkOp } from "./check.ts";
export * from "./compare.ts";
export * from "./concat.ts";
export * from "./constants.ts";
export * from "./custom-gradient.ts";
export * from "./dot.ts";
export * from "./exponential.ts";
export * from "./functions/index.ts";
export * from "./indexed.ts";
export * from "./inverse.ts";
export * from "./logical.ts";
export * from "./magnitude.ts";
export { Mapping, mappingOf, substitute } from "./mapping.ts";
export * from "./output.ts";
export * from "./permute.ts";
export * from "./portable.ts";
export * from "./powers.ts";
export * from "./random.ts";
export * from "./reduce.ts";
export { ClosedRegion, type TracedRegion, traceRegion } from "./region.ts";
export { rematerialize } from "./rematerialize.ts";
export { type RepeatAttributes, repeatWhile, repeatWhileOp } from "./repeat-while.ts";
export * from "./rounding.ts";
export { type ScanAttributes, type ScanResult, type ScanStep, scan, scanOp } from "./scan.ts";
export { scanInSegments } from "./scan-segments.ts";
export * from "./select.ts";
export * from "./slice.ts";
export * from "./sort.ts";
export * from "./sources.ts";
export * from "./state.ts";
export * from "./trigonometric.ts";
export * from "./windows.ts";
