/** The examples by name, in the order of the page of results. */
import breastCancer from "./breast-cancer.ts";
import mnistCnn from "./mnist-cnn.ts";
import spam from "./spam.ts";
import type { Example } from "./support/example.ts";

export const examples: Readonly<Record<string, Example>> = {
  "mnist-cnn": mnistCnn,
  "breast-cancer": breastCancer,
  spam,
};
