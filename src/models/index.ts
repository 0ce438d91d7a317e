/** Whole networks, each a file: what it is, its paper, and the names of published weights. */
export { AlexNet, type AlexNetOptions } from "./alexnet.ts";
export { LeNet, type LeNetOptions } from "./lenet.ts";
export { MobileNetV2, type MobileNetV2Options } from "./mobilenet-v2.ts";
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
export { UNet, type UNetOptions } from "./unet.ts";
export { VGG, type VGGOptions } from "./vgg.ts";
export { ViT, type ViTOptions } from "./vit.ts";
