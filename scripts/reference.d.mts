/** Pages by file name, and public names that have no docstring. */
export function reference(): { pages: Map<string, string>; undocumented: string[] };
