/** A convolutional network with what was learnt from Transformers. Liu, Mao, Wu, Feichtenhofer, Darrell and Xie, "A ConvNet for the 2020s", 2022. */
import { ArgumentError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import type { ChainLink } from "../base/shape-types.ts";
import {
  AdaptiveAvgPool2d,
  Conv2d,
  DropPath,
  Flatten,
  GELU,
  initializers,
  LayerNorm,
  Linear,
  Module,
  Parameter,
  Permute,
  Sequential,
} from "../nn/index.ts";
import type { Tensor } from "../tensor/index.ts";
import { renamed } from "./names.ts";

const weightInit = initializers.truncatedNormal({ standardDeviation: 0.02 });
const epsilon = 1e-6;

/** Layer norm over the channels of (N, C, H, W). */
class ChannelNorm extends LayerNorm {
  override forward(x: Tensor): Tensor {
    const last = super.forward(x.permute([0, 2, 3, 1]) as never) as Tensor;
    return last.permute([0, 3, 1, 2]) as Tensor;
  }
}

/** 7×7 within each channel, a norm, a small network over channels, a scale, and a residual. */
class Block extends Module {
  readonly block: Sequential;
  readonly scale: Parameter;
  readonly dropPath: DropPath;

  constructor(channels: number, dropPath: number) {
    super();
    this.block = new Sequential(
      new Conv2d(channels, channels, 7, { padding: 3, groups: channels, weightInit }),
      new Permute([0, 2, 3, 1]),
      new LayerNorm(channels, { epsilon }),
      new Linear(channels, 4 * channels, { weightInit }),
      new GELU(),
      new Linear(4 * channels, channels, { weightInit }),
      new Permute([0, 3, 1, 2]),
    );
    const shape = [channels, 1, 1];
    this.scale = new Parameter({ dtype: "f32", shape, data: new Float32Array(channels).fill(1e-6) });
    this.dropPath = new DropPath(dropPath);
  }

  protected override fields(): Iterable<readonly [string, unknown]> {
    return renamed(super.fields(), { scale: "layer_scale" });
  }

  forward(x: Tensor): Tensor {
    return x.add(this.dropPath.forward(this.block.forward(x).mul(this.scale) as Tensor)) as Tensor;
  }
}

export interface ConvNeXtOptions {
  /** Channels of the stages; default [96, 192, 384, 768], "tiny". */
  readonly widths?: readonly number[];
  /** Blocks of the stages; default [3, 3, 9, 3]. */
  readonly depths?: readonly number[];
  /** Default 1000. */
  readonly numClasses?: number;
  /** Default 3. */
  readonly inChannels?: number;
  /** With which probability a sample goes around the last block, less around earlier ones; default 0.1. */
  readonly dropPath?: number;
}

/**
 * ConvNeXt-T, 28.6 M parameters. torchvision's weights and names.
 *
 * Shapes: (N, inChannels, H, W), H and W multiples of 32 → logits (N, numClasses).
 *
 * @throws ArgumentError unless there are as many widths as depths
 * @example new ConvNeXt({ widths: [4, 8, 12, 16], depths: [1, 1, 1, 1], numClasses: 5 }).forward(zeros([1, 3, 32, 32])).shape // [1, 5]
 */
export class ConvNeXt extends Module {
  readonly body: Sequential;
  readonly pool = new AdaptiveAvgPool2d(1);
  readonly head: Sequential;

  constructor(options: ConvNeXtOptions = {}) {
    super();
    checkOptions("ConvNeXt", options, ["widths", "depths", "numClasses", "inChannels", "dropPath"]);
    const { widths = [96, 192, 384, 768], depths = [3, 3, 9, 3], numClasses = 1000 } = options;
    const { inChannels = 3, dropPath = 0.1 } = options;
    if (widths.length !== depths.length || widths.length === 0)
      throw new ArgumentError(
        `ConvNeXt: ${widths.length} widths for ${depths.length} depths; give one each a stage`,
      );
    const [first, last] = [widths[0]!, widths.at(-1)!];
    const stem = new Conv2d(inChannels, first, 4, { stride: 4, weightInit });
    const layers: ChainLink[] = [new Sequential(stem, new ChannelNorm(first, { epsilon }))];
    const total = depths.reduce((a, b) => a + b);
    let index = 0;
    for (const [stage, depth] of depths.entries()) {
      const width = widths[stage]!;
      const blocks = Array.from(
        { length: depth },
        () => new Block(width, (dropPath * index++) / Math.max(1, total - 1)),
      );
      layers.push(new Sequential(...blocks));
      const next = widths[stage + 1];
      if (next !== undefined)
        layers.push(
          new Sequential(
            new ChannelNorm(width, { epsilon }),
            new Conv2d(width, next, 2, { stride: 2, weightInit }),
          ),
        );
    }
    this.body = new Sequential(...layers);
    const norm = new ChannelNorm(last, { epsilon });
    this.head = new Sequential(norm, new Flatten(), new Linear(last, numClasses, { weightInit }));
  }

  protected override fields(): Iterable<readonly [string, unknown]> {
    return renamed(super.fields(), { body: "features", head: "classifier" });
  }

  forward(x: Tensor): Tensor {
    return this.head.forward(this.pool.forward(this.body.forward(x)));
  }
}
