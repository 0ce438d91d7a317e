/** Whole networks, each a file: what it is, its paper, and the names of published weights. */
export { type ActivationName, activations } from "./activations.ts";
export { AlexNet, type AlexNetOptions } from "./alexnet.ts";
export { Autoencoder, type AutoencoderOptions, VAE, type VAEResult, vaeLoss } from "./autoencoder.ts";
export {
  Bert,
  BertForMaskedLM,
  BertForSequenceClassification,
  BertForTokenClassification,
} from "./bert.ts";
export {
  CenterDetector,
  type CenterDetectorOptions,
  type CenterMaps,
  type CenterTargets,
  type CenterTensors,
  centerLoss,
  centerTargets,
} from "./center-detector.ts";
export { PretrainedConfig } from "./config.ts";
export { ConvNeXt, type ConvNeXtOptions } from "./convnext.ts";
export { CRNN, type CRNNOptions } from "./crnn.ts";
export {
  type CtcBeamOptions,
  type CtcDecodeOptions,
  type CtcSequence,
  ctcBeamSearch,
  ctcGreedyDecode,
} from "./ctc-decoding.ts";
export {
  DCGANDiscriminator,
  DCGANGenerator,
  type DCGANGeneratorOptions,
  type DCGANOptions,
} from "./dcgan.ts";
export { CausalLanguageModel, type DecoderOptions, type DecoderVariant } from "./decoder.ts";
export {
  DistilBert,
  DistilBertForMaskedLM,
  DistilBertForSequenceClassification,
  DistilBertForTokenClassification,
} from "./distilbert.ts";
export { EfficientNet, type EfficientNetOptions } from "./efficientnet.ts";
export {
  type ClassifierOptions,
  type EncodeOptions,
  EncoderForTask,
  type EncoderHead,
  type EncoderOptions,
  type EncoderVariant,
  TokenEncoder,
} from "./encoder.ts";
export { EncoderDecoder, type Memory, type SourceOptions, SourceReader } from "./encoder-decoder.ts";
export { Gemma2, type Gemma2Options, Gemma3, type Gemma3Options } from "./gemma.ts";
export { GPT2, type GPT2Options } from "./gpt2.ts";
export type { DecodeOptions, LanguageModel, TokenReader } from "./language-model.ts";
export { LeNet, type LeNetOptions } from "./lenet.ts";
export { Llama } from "./llama.ts";
export { MobileNetV2, type MobileNetV2Options } from "./mobilenet-v2.ts";
export { Phi3 } from "./phi3.ts";
export {
  PromptEmbeddings,
  type PromptEmbeddingsInit,
  promptOf,
  type WordEmbeddings,
} from "./prompt-embeddings.ts";
export { QNetwork, type QNetworkOptions } from "./q-network.ts";
export { Qwen2, Qwen3 } from "./qwen.ts";
export {
  BasicBlock,
  Bottleneck,
  ResNet,
  type ResNetOptions,
  resnet18,
  resnet34,
  resnet50,
  resnet101,
} from "./resnet.ts";
export {
  Roberta,
  RobertaForMaskedLM,
  RobertaForSequenceClassification,
  RobertaForTokenClassification,
} from "./roberta.ts";
export { Seq2Seq, type Seq2SeqOptions, type Translation } from "./seq2seq.ts";
export { T5, type T5Options } from "./t5.ts";
export {
  LSTMClassifier,
  type LSTMClassifierOptions,
  type TextClassifierOptions,
  TextCNN,
  type TextCNNOptions,
  TransformerClassifier,
  type TransformerClassifierOptions,
} from "./text-classifiers.ts";
export type { BlockNames, KeysAndValues } from "./transformer-block.ts";
export { UNet, type UNetOptions } from "./unet.ts";
export { VGG, type VGGOptions } from "./vgg.ts";
export { ViT, type ViTOptions } from "./vit.ts";
export { Whisper, type WhisperOptions, whisperFeatures } from "./whisper.ts";
export {
  CBOW,
  NegativeSampler,
  type PairOptions,
  SkipGram,
  skipGramPairs,
  subsample,
  type Word2VecOptions,
} from "./word2vec.ts";
