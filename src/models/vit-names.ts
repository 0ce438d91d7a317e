/** Hugging Face's names of a ViT's weights, whose queries, keys and values are matrices of their own, and torchvision's, which are ours. */

import { arrayTypeOf } from "../base/dtype.ts";
import { ArgumentError } from "../base/errors.ts";
import type { HostArray } from "../base/host-array.ts";
import { MappedArray } from "../base/mapped-array.ts";

type Arrays = Map<string, HostArray | MappedArray>;

const whole: readonly (readonly [huggingFace: string, ours: string])[] = [
  ["vit.embeddings.cls_token", "class_token"],
  ["vit.embeddings.position_embeddings", "encoder.pos_embedding"],
  ["vit.embeddings.patch_embeddings.projection", "conv_proj"],
  ["vit.layernorm", "encoder.ln"],
  ["classifier", "heads.head"],
];
const ofLayers: readonly (readonly [huggingFace: string, ours: string])[] = [
  ["layernorm_before", "ln_1"],
  ["layernorm_after", "ln_2"],
  ["attention.output.dense", "self_attention.out_proj"],
  ["intermediate.dense", "mlp.0"],
  ["output.dense", "mlp.3"],
];
const parts = ["query", "key", "value"] as const;

const hostOf = (value: HostArray | MappedArray): HostArray =>
  value instanceof MappedArray ? value.read() : value;

/** A name by a table of beginnings; undefined where none fits. */
function renamedBy(name: string, table: readonly (readonly [string, string])[]): string | undefined {
  for (const [from, to] of table)
    if (name === from || name.startsWith(`${from}.`)) return to + name.slice(from.length);
  return undefined;
}
const turned = (table: readonly (readonly [string, string])[]) => table.map(([a, b]) => [b, a] as const);

/** Both ways between the names; what is not known keeps its name. */
export const huggingFaceNames = {
  toOurs(given: ReadonlyMap<string, HostArray | MappedArray>): Arrays {
    const made: Arrays = new Map();
    for (const [name, value] of given) {
      const [, layer, part] = /^vit\.encoder\.layer\.(\d+)\.(.+)$/.exec(name) ?? [];
      const [, which, kind] =
        /^attention\.attention\.(query|key|value)\.(weight|bias)$/.exec(part ?? "") ?? [];
      const ours = `encoder.layers.encoder_layer_${layer}`;
      if (layer === undefined) made.set(renamedBy(name, whole) ?? name, value);
      else if (which === undefined) made.set(named(name, renamedBy(part!, ofLayers), ours), value);
      else if (which === "query") made.set(`${ours}.self_attention.in_proj_${kind}`, joined(given, name));
    }
    return made;
  },

  toHuggingFace(given: ReadonlyMap<string, HostArray>): Map<string, HostArray> {
    const made = new Map<string, HostArray>();
    for (const [name, value] of given) {
      const [, layer, part] = /^encoder\.layers\.encoder_layer_(\d+)\.(.+)$/.exec(name) ?? [];
      const theirs = `vit.encoder.layer.${layer}`;
      const [, kind] = /^self_attention\.in_proj_(weight|bias)$/.exec(part ?? "") ?? [];
      if (layer === undefined) made.set(renamedBy(name, turned(whole)) ?? name, value);
      else if (kind === undefined) made.set(named(name, renamedBy(part!, turned(ofLayers)), theirs), value);
      else
        for (const [i, which] of parts.entries())
          made.set(`${theirs}.attention.attention.${which}.${kind}`, third(value, i));
    }
    return made;
  },
};

const named = (name: string, part: string | undefined, layer: string): string =>
  part === undefined ? name : `${layer}.${part}`;

/** Queries, keys and values one below the other. */
function joined(given: ReadonlyMap<string, HostArray | MappedArray>, name: string): HostArray {
  const all = parts.map((part) => {
    const found = given.get(name.replace("query", part));
    if (found !== undefined) return hostOf(found);
    throw new ArgumentError(`"${name}" comes without "${name.replace("query", part)}"`);
  });
  const [first] = all as [HostArray];
  const data = new (arrayTypeOf(first.dtype))(all.reduce((sum, array) => sum + array.data.length, 0));
  let at = 0;
  for (const array of all) {
    data.set(array.data as never, at);
    at += array.data.length;
  }
  return { dtype: first.dtype, shape: [3 * first.shape[0]!, ...first.shape.slice(1)], data } as HostArray;
}

function third({ dtype, shape, data }: HostArray, i: number): HostArray {
  const length = data.length / 3;
  const rows = [shape[0]! / 3, ...shape.slice(1)];
  return { dtype, shape: rows, data: data.slice(i * length, (i + 1) * length) } as HostArray;
}
