/**
 * A published model learns a language that nobody speaks: orders in plain English become lines of a code with words of its own.
 *
 *     npm run -s build && node build/examples/finetune.js SmolLM2-135M-Instruct.gguf [--examples 120] [--epochs 4] [--rank 16]
 *
 *     "Bring 3 red cups to Ann."   →   <fep 3|zal cups|@ANN>
 *
 * Which code word stands for which verb and colour is in the examples alone, so the model cannot know. Every word of what is held out is
 * in some example, but no order of it is: verb, count, colour, thing and name are put together anew. The score is how many lines come
 * out right, letter by letter, before and after; some of the examples are asked too, to tell learning by heart from learning the code.
 */
import { parseArgs } from "node:util";
import { finetune, saveAdapters } from "netwright/finetune";
import { type ChatMessage, Decoding, generate } from "netwright/generate";
import { loadPretrained } from "netwright/pretrained";

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    ...{ examples: { type: "string", default: "120" }, held: { type: "string", default: "30" } },
    ...{ epochs: { type: "string", default: "4" }, rank: { type: "string", default: "16" } },
    ...{ length: { type: "string", default: "128" }, seed: { type: "string", default: "0" } },
    output: { type: "string" },
  },
});
const [path] = positionals;
if (path === undefined) throw new Error("name a model: a folder of Hugging Face, or a GGUF file");

const verbs = { Bring: "fep", Send: "dax", Show: "mib" } as const;
const colours = { red: "zal", green: "rud", blue: "kiv", black: "pom" } as const;
const things = ["cups", "books", "lamps", "shirts", "chairs", "bags"];
const names = ["Ann", "Bob", "Eve", "Tom", "Mia", "Max"];

/** All orders, in an order drawn from the seed. */
const orders = Object.keys(verbs).flatMap((verb) =>
  Object.keys(colours).flatMap((colour) =>
    things.flatMap((thing) =>
      names.flatMap((name) =>
        [2, 3, 4, 5, 6, 7, 8, 9].map((count) => ({ verb, colour, thing, name, count })),
      ),
    ),
  ),
);
let state = Number(flags.seed) * 7919 + 1;
const random = (below: number): number => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor((state / 2 ** 32) * below);
};
for (let i = orders.length - 1; i > 0; i--) {
  const j = random(i + 1);
  [orders[i], orders[j]] = [orders[j]!, orders[i]!];
}
const question = ({ verb, count, colour, thing, name }: (typeof orders)[number]): string =>
  `${verb} ${count} ${colour} ${thing} to ${name}.`;
const answer = ({ verb, count, colour, thing, name }: (typeof orders)[number]): string =>
  `<${verbs[verb as "Bring"]} ${count}|${colours[colour as "red"]} ${thing}|@${name.toUpperCase()}>`;

/** What is said before the answer: in training and when the model is asked it is the same conversation, by the same template. */
const asked = (order: (typeof orders)[number]): ChatMessage[] => [{ role: "user", content: question(order) }];

const [count, heldCount] = [Number(flags.examples), Number(flags.held)];
const train = orders.slice(0, count);
const words = new Set(train.flatMap((order) => Object.values(order)));
const isMadeOfKnown = (order: (typeof orders)[number]): boolean =>
  Object.values(order).every((word) => words.has(word));
const held = orders.slice(count).filter(isMadeOfKnown).slice(0, heldCount);

const pretrained = await loadPretrained(path);
const decoding = new Decoding(pretrained.model, { maxLength: Number(flags.length) });

/** How many orders come out right, and a few of the answers. */
async function score(part: typeof orders, what: string): Promise<void> {
  let right = 0;
  for (const [i, order] of part.entries()) {
    let text = "";
    decoding.rewind(0);
    for await (const piece of generate(pretrained, asked(order), {
      ...{ temperature: 0, maxNewTokens: 32, decoding },
    }))
      text += piece;
    right += Number(text.trim() === answer(order));
    if (i < 2) console.log(`  ${question(order)} → ${JSON.stringify(text.trim().slice(0, 60))}`);
  }
  const share = ((100 * right) / part.length).toFixed(0);
  console.log(`${what}: ${right} of ${part.length} (${share} %)`);
}

await score(held, "before: held-out orders");
const start = performance.now();
const { adapters } = await finetune(
  pretrained,
  train.map((order, i) => ({
    messages: [...asked(order), { role: "assistant", content: answer(order) }],
    place: `example ${i + 1}`,
  })),
  {
    ...{ rank: Number(flags.rank), maxLength: Number(flags.length), epochs: Number(flags.epochs) },
    ...{ gradientAccumulationSteps: 1, validationSplit: 0, seed: Number(flags.seed), progress: "none" },
    callbacks: [
      {
        onEpochEnd: ({ epoch, scores }) =>
          console.log(`epoch ${epoch}: loss ${Number(scores["loss"]).toFixed(4)}`),
      },
    ],
  },
);
console.log(`trained in ${((performance.now() - start) / 1000).toFixed(0)} s`);
if (flags.output !== undefined) await saveAdapters(adapters!, flags.output, { baseModel: path });
adapters!.merge();
await score(train.slice(0, heldCount), "after: examples");
await score(held, "after: held-out orders");
