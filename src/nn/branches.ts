/** Containers whose layers see the same input: side by side, and around a residual. */
import type { ChainLink } from "../base/shape-types.ts";
import { concat, type Tensor } from "../tensor/index.ts";
import { Module } from "./module.ts";

/**
 * x + f(x), or shortcut(x) + f(x) where the branch gives another shape: He et al., "Deep residual learning", CVPR 2016. Children are
 * `branch` and `shortcut`.
 *
 * @throws ShapeError in `forward` when the two sides differ in shape
 * @example
 * const block = new Residual(new Sequential(new Linear(8, 8), new ReLU()));
 * block.forward(zeros([2, 8])).shape; // [2, 8]
 */
export class Residual extends Module {
  readonly branch: ChainLink;
  readonly shortcut: ChainLink | undefined;
  constructor(branch: ChainLink, { shortcut }: { readonly shortcut?: ChainLink } = {}) {
    super();
    this.branch = branch;
    this.shortcut = shortcut;
  }
  forward(x: Tensor): Tensor {
    const [side, result] = [
      this.shortcut === undefined ? x : this.shortcut.forward(x),
      this.branch.forward(x),
    ];
    return result.add(side) as Tensor;
  }
}

/** Layers that are children by their index. */
abstract class Branches extends Module {
  readonly layers: readonly ChainLink[];
  constructor(layers: readonly ChainLink[]) {
    super();
    this.layers = layers;
  }
  protected results(x: Tensor): Tensor[] {
    return this.layers.map((layer) => layer.forward(x) as Tensor);
  }
  protected override fields(): Iterable<readonly [string, unknown]> {
    return this.layers.map((layer, index) => [String(index), layer] as const);
  }
}

/**
 * The results of several layers for one input, as a list: what a model with several outputs gives.
 *
 * @example
 * const heads = new Parallel(new Linear(8, 10), new Linear(8, 2));
 * heads.forward(zeros([4, 8])).map((y) => y.shape); // [[4, 10], [4, 2]]
 */
export class Parallel extends Branches {
  constructor(...layers: readonly ChainLink[]) {
    super(layers);
  }
  forward(x: Tensor): Tensor[] {
    return this.results(x);
  }
}

/**
 * The results of several layers for one input, put together along an axis (the channels, 1, unless told): Inception's block.
 *
 * @throws ShapeError in `forward` when other axes differ
 * @example
 * const block = new Concat([new Conv2d(3, 4, 1), new Conv2d(3, 8, 3, { padding: "same" })]);
 * block.forward(zeros([2, 3, 5, 5])).shape; // [2, 12, 5, 5]
 */
export class Concat extends Branches {
  readonly axis: number;
  constructor(layers: readonly ChainLink[], { axis = 1 }: { readonly axis?: number } = {}) {
    super(layers);
    this.axis = axis;
  }
  forward(x: Tensor): Tensor {
    return concat(this.results(x), this.axis) as Tensor;
  }
  protected override describe(): string {
    return `axis ${this.axis}`;
  }
}
