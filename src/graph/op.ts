/**
 * What an op declares. Passes ask these properties; nothing outside an op's own block switches on its name.
 *
 * An op belongs to one class by `kind`; the class says which further facts it must state. One op, one block in `ops/`.
 */
import type { DType, TypedArray } from "../base/dtype.ts";
import type { Shape } from "../base/shape.ts";
import type { Size } from "../base/size.ts";
import type { Attributes, Node, TensorType } from "./node.ts";
import type { ScalarBuilder, ScalarDType } from "./scalar.ts";
import type { View } from "./view.ts";

/** A dense value in row-major order for the interpreter: numbers already rounded to `dtype` (bool is 0 and 1). */
export interface DenseArray {
  readonly shape: readonly number[];
  readonly dtype: DType;
  readonly data: Float64Array;
}

/** What `reference` may ask beside its inputs. */
export interface ReferenceContext {
  /** Output types with every Dimension replaced by its value in this run. */
  readonly outputs: readonly { shape: readonly number[]; dtype: DType }[];
  size(size: Size): number;
  /** Records the first failed check of the run; the run commits nothing. */
  fail(node: Node, position: number, value: number): void;
  /** Runs a region's results for given parameters. */
  run(
    region: { parameters: readonly Node[]; results: readonly Node[] },
    inputs: readonly DenseArray[],
  ): DenseArray[];
}

/** A node over an added first axis, or one that is the same all along it. */
export interface Mapped {
  readonly node: Node;
  readonly isMapped: boolean;
}

/** What `map` is given: the inputs over an added first axis. */
export interface AddedAxis {
  readonly size: Size;
  /** Inputs as they are: with the axis in front where `isMapped`, else without it. */
  readonly given: readonly Node[];
  readonly isMapped: readonly boolean[];
  /** The inputs, all with the axis: repeated along it where they are the same all along. */
  readonly inputs: readonly Node[];
  /** Further nodes of the same graph over the axis; `more` says what stands for nodes that are new to it. */
  of(nodes: readonly Node[], more?: ReadonlyMap<Node, Mapped>): Mapped[];
  /** With the axis, repeated along it where it had none. */
  whole(mapped: Mapped): Node;
}

interface OpBase<A extends Attributes> {
  readonly name: string;
  /** Shape and dtype rule; throws ShapeError or DTypeError with both operands in the message. */
  type(inputs: readonly TensorType[], attributes: A): TensorType | readonly TensorType[];
  /** The definition: slow, obvious, in float64, rounded to the output dtype. */
  reference(
    inputs: readonly DenseArray[],
    attributes: A,
    context: ReferenceContext,
    node: Node<A>,
  ): DenseArray[];
  /**
   * Cotangents of the inputs from the cotangents of the outputs (undefined where an output is unused): more graph.
   * `null` for an input through which nothing flows. Absent: not differentiable, no gradient flows at all.
   */
  gradient?(node: Node<A>, cotangents: readonly (Node | undefined)[]): readonly (Node | null)[];
  /** The nodes whose cotangents `gradient` gives, where they are not the node's inputs. */
  gradientInputs?(node: Node<A>): readonly Node[];
  /**
   * The node over an added first axis (`vectorize`), or all its outputs where it has several. Elementwise ops and reductions
   * have their class's rule.
   */
  map?(node: Node<A>, axis: AddedAxis): Node | readonly Mapped[];
}

/** Each output element is a function of the inputs' elements at the same place. All inputs have the output's shape. */
export interface ElementwiseOp<A extends Attributes = Attributes> extends OpBase<A> {
  readonly kind: "elementwise";
  /** The element function in primitive scalar instructions, for code generators. Inputs arrive in compute dtypes. */
  expand<V>(b: ScalarBuilder<V>, inputs: readonly V[], attributes: A, node: Node<A>): V;
  /** Rough cost in multiply-adds: an expensive value is kept rather than computed twice. */
  readonly cost: number;
  readonly isCommutative?: boolean;
  /** The number that leaves the other operand bit for bit as it is, by the side it stands on: x × 1, x − 0. */
  readonly neutral?: { readonly left?: number; readonly right?: number };
  /** Its expansion may set the status word (`checkIndex`, `check`): it must run before anything is committed. */
  readonly reports?: boolean;
}

/** Folds axes (`attributes.axes`, sorted) with an associative operator; the axes vanish from the shape. */
export interface ReduceOp<A extends { axes: readonly number[] } = { axes: readonly number[] }>
  extends OpBase<A> {
  readonly kind: "reduce";
  readonly operator: "add" | "mul" | "min" | "max";
  identity(dtype: ScalarDType): number;
}

/** Rearranges elements without computing: the output is a view of the input, where the view can say it. */
export interface MovementOp<A extends Attributes = Attributes> extends OpBase<A> {
  readonly kind: "movement";
  /**
   * The view of the output given the view of the input; undefined when no strided view says it and the input must be
   * copied first. Rows must then exist in `OpBase.reference` and the copy of a contiguous input must succeed.
   */
  view(input: View, attributes: A, output: TensorType): View | undefined;
  /** Stands for a value of its own though it moves nothing: rules must not replace it by its input. */
  readonly isBarrier?: boolean;
}

/**
 * Places several inputs, or one input and a fill value, in a new buffer (`pad`, `concat`): a list of strided copies.
 */
export interface PlacementOp<A extends Attributes = Attributes> extends OpBase<A> {
  readonly kind: "placement";
  /** The value of places that no copy reaches; undefined when the copies reach all. */
  fill(attributes: A): number | undefined;
  /** For each input, the view of the output buffer (given contiguous) in which it is stored, of the input's shape. */
  destinations(output: View, inputs: readonly TensorType[], attributes: A): readonly View[];
  /** Whether stored elements are added to what is there (`foldWindows`) rather than replace it. */
  readonly accumulates: boolean;
  /** The attributes that do the same to inputs whose axis i is axis `order[i]` of these. */
  permuted?(attributes: A, order: readonly number[]): A;
}

/**
 * (batch…, rows…, depth…) × (batch…, depth…, columns…) → (batch…, rows…, columns…) with so many axes of the batch and the depth,
 * summed in one chain of rising k (the depth's axes in row-major order) up to 4,096.
 */
export interface DotOp extends OpBase<{ batch: number; depth: number }> {
  readonly kind: "dot";
}

/** Data-dependent addresses along one axis, checked against its size (`rule` is the error's sentence); `direction` says whether the indexed side is read or written. */
export interface IndexedOp extends OpBase<{ axis: number; rule: string; isSparse?: boolean }> {
  readonly kind: "indexed";
  /** gather: inputs (x, indices). The others, which add or replace: inputs (x, indices, updates). */
  readonly direction: "gather" | "scatterAdd" | "scatter";
}

/** The order of the elements along the last axis, as i32 of the input's shape: stable, NaN above everything. */
export interface OrderOp extends OpBase<{ descending: boolean }> {
  readonly kind: "order";
}

/** No inputs: constants, counters, states, parameters of a program or region. */
export interface SourceOp<A extends Attributes = Attributes> extends OpBase<A> {
  readonly kind: "source";
  /** constant: `attributes.value`. array: `attributes.array`. iota: counts along `attributes.axis`. The rest are buffers. */
  readonly source: "constant" | "array" | "iota" | "state" | "parameter" | "buffer";
}

/** Holds regions: `scan`, `repeatWhile`. */
export interface RegionOp<A extends Attributes = Attributes> extends OpBase<A> {
  readonly kind: "region";
  readonly loop: "scan" | "repeatWhile";
}

/** Picks output `attributes.index` of a node with several. */
export interface OutputOp extends OpBase<{ index: number }> {
  readonly kind: "output";
}

export type Op<A extends Attributes = any> =
  | ElementwiseOp<A>
  | ReduceOp<A & { axes: readonly number[] }>
  | MovementOp<A>
  | PlacementOp<A>
  | DotOp
  | IndexedOp
  | OrderOp
  | SourceOp<A>
  | RegionOp<A>
  | OutputOp;

export type OpKind = Op["kind"];
export type { Shape, TypedArray };
