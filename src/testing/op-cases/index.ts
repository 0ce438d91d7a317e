/** One row for every op: what a target must get right. */
import type { Case } from "../cases.ts";
import { arrangementCases } from "./arrangement.ts";
import { convolutionCases } from "./convolution.ts";
import { elementwiseCases } from "./elementwise.ts";
import { realFunctionCases } from "./real-functions.ts";
import { sortingCases } from "./sorting.ts";
import { structuralCases } from "./structural.ts";

export const opCases: readonly Case[] = [
  ...elementwiseCases,
  ...realFunctionCases,
  ...arrangementCases,
  ...structuralCases,
  ...sortingCases,
  ...convolutionCases,
];
