/** What `JSON.parse` does not tell: a key that stands twice in one object, of which it silently keeps the last. */

/**
 * The first key that repeats within an object of valid JSON text, or undefined.
 *
 * @example duplicateKey('{"a": 1, "b": {"a": 2}, "a": 3}') // "a"
 */
export function duplicateKey(json: string): string | undefined {
  /** One entry for each open bracket: the keys of an object, null for an array. */
  const open: (Set<string> | null)[] = [];
  for (let at = 0; at < json.length; at++) {
    const character = json[at];
    if (character === "{") open.push(new Set());
    else if (character === "[") open.push(null);
    else if (character === "}" || character === "]") open.pop();
    else if (character === '"') {
      const end = endOfString(json, at);
      const keys = open.at(-1);
      if (keys && isKey(json, end)) {
        const key = JSON.parse(json.slice(at, end)) as string;
        if (keys.has(key)) return key;
        keys.add(key);
      }
      at = end - 1;
    }
  }
  return undefined;
}

/** The position after the closing quote of the string that opens at `at`. */
function endOfString(json: string, at: number): number {
  for (let i = at + 1; ; i++) {
    if (json[i] === "\\") i++;
    else if (json[i] === '"') return i + 1;
  }
}

/** Whether a colon follows: then the string was a key. */
function isKey(json: string, at: number): boolean {
  while (" \t\r\n".includes(json[at] ?? "x")) at++;
  return json[at] === ":";
}
