/** The examples by name, in the order of the page of results. */
import anomalies from "./anomalies.ts";
import breastCancer from "./breast-cancer.ts";
import fashionMnistCnn from "./fashion-mnist-cnn.ts";
import mnistCnn from "./mnist-cnn.ts";
import overfitting from "./overfitting.ts";
import spam from "./spam.ts";
import stocks from "./stocks.ts";
import type { Example } from "./support/example.ts";
import volatility from "./volatility.ts";
import weather from "./weather.ts";

export const examples: Readonly<Record<string, Example>> = {
  "mnist-cnn": mnistCnn,
  "fashion-mnist-cnn": fashionMnistCnn,
  overfitting,
  anomalies,
  "breast-cancer": breastCancer,
  spam,
  weather,
  volatility,
  stocks,
};
