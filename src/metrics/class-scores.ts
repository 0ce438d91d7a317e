/** Scores of each class from counts, and their averages: what confusion matrices and multi-label counts have in common. */
import {
  type ClassCounts,
  fBetaRatio,
  jaccardRatio,
  precisionRatio,
  type Ratio,
  recallRatio,
  specificityRatio,
} from "./scores.ts";

/** Each score is one number, or with `average: "none"` a list, a class each. */
export abstract class ClassScores<Options extends { readonly average?: string }> {
  /** How often each class was predicted rightly and wrongly, against all others. */
  abstract perClass(): ClassCounts[];

  protected abstract averaged(ratio: Ratio, options: Options | undefined, what: string): number | number[];

  /** TP / (TP + FP): of what was predicted as a class, the share that is of it. */
  precision(options: Options & { average: "none" }): number[];
  precision(options?: Options): number;
  precision(options?: Options): number | number[] {
    return this.averaged(precisionRatio, options, "precision");
  }

  /** TP / (TP + FN): of what is of a class, the share that was predicted so. Also sensitivity. */
  recall(options: Options & { average: "none" }): number[];
  recall(options?: Options): number;
  recall(options?: Options): number | number[] {
    return this.averaged(recallRatio, options, "recall");
  }

  /** TN / (TN + FP): of what is not of a class, the share that was not predicted so; the recall of negatives. */
  specificity(options: Options & { average: "none" }): number[];
  specificity(options?: Options): number;
  specificity(options?: Options): number | number[] {
    return this.averaged(specificityRatio, options, "specificity");
  }

  /** The harmonic mean of precision and recall, 2·TP / (2·TP + FP + FN). */
  f1Score(options: Options & { average: "none" }): number[];
  f1Score(options?: Options): number;
  f1Score(options?: Options): number | number[] {
    return this.averaged(fBetaRatio(1), options, "f1Score");
  }

  /** The F-score in which recall counts β times as much as precision. */
  fBeta(beta: number, options: Options & { average: "none" }): number[];
  fBeta(beta: number, options?: Options): number;
  fBeta(beta: number, options?: Options): number | number[] {
    return this.averaged(fBetaRatio(beta), options, "fBeta");
  }

  /** The Jaccard index, TP / (TP + FP + FN): of segmented pixels their IoU. (Their Dice coefficient is `f1Score`.) */
  jaccard(options: Options & { average: "none" }): number[];
  jaccard(options?: Options): number;
  jaccard(options?: Options): number | number[] {
    return this.averaged(jaccardRatio, options, "jaccard");
  }
}
