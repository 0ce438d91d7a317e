/** Guessing what comes next from where the same was said before. */

/** Tokens that must have come before in a row: more first, since they guess better. */
const matches = [3, 2];

/** What followed where the last tokens of a text stood before, the last such place first; at most `count` tokens, maybe none. */
export function guessNext(text: readonly number[], count: number): readonly number[] {
  if (count <= 0) return [];
  for (const size of matches) {
    const end = text.length - size;
    for (let at = end - 1; at >= 0; at--) {
      let same = 0;
      while (same < size && text[at + same] === text[end + same]) same++;
      if (same === size) return text.slice(at + size, at + size + count);
    }
  }
  return [];
}
