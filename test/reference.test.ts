/** The reference pages: every public name has its docstring, and the pages are those that the sources give. */
import { expect, test } from "vitest";
import { reference } from "../scripts/reference.mjs";
import { filesUnder, readText } from "./source.ts";

const { pages, undocumented } = reference();

test("every public function and class says what it is", () => {
  expect(undocumented).toEqual([]);
});

test("the committed pages are of these sources: npm run docs renews them", () => {
  const stale = [...pages].filter(([name, text]) => committed(name) !== text).map(([name]) => name);
  expect(stale).toEqual([]);
  expect(filesUnder("docs/reference", () => true)).toHaveLength(pages.size);
});

const committed = (name: string): string | undefined => {
  try {
    return readText(`docs/reference/${name}`);
  } catch {
    return undefined;
  }
};
