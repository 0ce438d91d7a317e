/** The examples by name, in the order of the page of results. */
import anomalies from "./anomalies.ts";
import answers from "./answers.ts";
import augmentation from "./augmentation.ts";
import autoencoders from "./autoencoders.ts";
import breastCancer from "./breast-cancer.ts";
import cartpole from "./cartpole.ts";
import credit from "./credit.ts";
import detection from "./detection.ts";
import diffusion from "./diffusion.ts";
import documentSearch from "./document-search.ts";
import entities from "./entities.ts";
import explaining from "./explaining.ts";
import faces from "./faces.ts";
import fashionMnistCnn from "./fashion-mnist-cnn.ts";
import gestures from "./gestures.ts";
import keywords from "./keywords.ts";
import mnistCnn from "./mnist-cnn.ts";
import overfitting from "./overfitting.ts";
import prosody from "./prosody.ts";
import recommendation from "./recommendation.ts";
import segmentation from "./segmentation.ts";
import sentiment from "./sentiment.ts";
import shift from "./shift.ts";
import spam from "./spam.ts";
import speechTranslation from "./speech-translation.ts";
import stocks from "./stocks.ts";
import type { Example } from "./support/example.ts";
import topics from "./topics.ts";
import trainingStudy from "./training-study.ts";
import transcription from "./transcription.ts";
import transfer from "./transfer.ts";
import translation from "./translation.ts";
import volatility from "./volatility.ts";
import weather from "./weather.ts";
import wordVectors from "./word-vectors.ts";

export const examples: Readonly<Record<string, Example>> = {
  "mnist-cnn": mnistCnn,
  "fashion-mnist-cnn": fashionMnistCnn,
  detection,
  segmentation,
  faces,
  autoencoders,
  diffusion,
  transfer,
  augmentation,
  shift,
  explaining,
  "training-study": trainingStudy,
  overfitting,
  anomalies,
  "breast-cancer": breastCancer,
  recommendation,
  credit,
  spam,
  weather,
  volatility,
  stocks,
  cartpole,
  gestures,
  translation,
  sentiment,
  topics,
  "word-vectors": wordVectors,
  keywords,
  transcription,
  answers,
  "document-search": documentSearch,
  entities,
  "speech-translation": speechTranslation,
  prosody,
};
