/** Which pages of a pool are free, which hold whose text, and which hold what another text may begin with. */

interface Page {
  /** Texts that use it. */
  users: number;
  /** Under which its tokens are found; undefined while it is not full. */
  key: string | undefined;
  /** Names these tokens behind those before them: never given twice, so that what follows a page that is gone is not found. */
  serial: number;
}

/** Begins a text: what comes before the first page. */
const root = 0;

/**
 * Pages are given to texts and come back. A full page keeps its tokens when nobody uses it any more: a text that begins with the same
 * tokens takes it over instead of reading them again, until the page is needed. The one that was not used for longest goes first.
 */
export class PagePool {
  readonly pageSize: number;
  private readonly pages: Page[];
  /** Pages without tokens. */
  private readonly free: number[];
  /** Pages that hold tokens and have no users, the longest unused first. */
  private readonly idle = new Set<number>();
  private readonly byTokens = new Map<string, number>();
  private serials = root;

  /** @param from the number of the first page */
  constructor({ from, count, pageSize }: { from: number; count: number; pageSize: number }) {
    this.pageSize = pageSize;
    this.pages = [];
    this.free = [];
    for (let page = from + count - 1; page >= from; page--) {
      this.pages[page] = { users: 0, key: undefined, serial: root };
      this.free.push(page);
    }
  }

  /** Pages that nobody uses. */
  get available(): number {
    return this.free.length + this.idle.size;
  }

  /** A page for somebody; undefined when all are in use. */
  take(): number | undefined {
    const page = this.free.pop() ?? this.longestIdle();
    if (page !== undefined) this.pages[page]!.users = 1;
    return page;
  }

  /** A user less. */
  release(page: number): void {
    const held = this.pages[page]!;
    held.users--;
    if (held.users > 0) return;
    if (held.key === undefined) this.free.push(page);
    else this.idle.add(page);
  }

  /** Full pages that hold the first tokens of a text, all but its last token at most; the caller uses them from here on. */
  takeBeginning(tokens: readonly number[]): number[] {
    const found: number[] = [];
    let before = root;
    for (let end = this.pageSize; end < tokens.length; end += this.pageSize) {
      const page = this.byTokens.get(this.keyOf(before, tokens, end));
      if (page === undefined) break;
      const held = this.pages[page]!;
      held.users++;
      this.idle.delete(page);
      found.push(page);
      before = held.serial;
    }
    return found;
  }

  /** Says that the last of a text's pages is full now, with the tokens before `end`. */
  keep(pages: readonly number[], tokens: readonly number[], end: number): void {
    const at = end / this.pageSize - 1;
    const page = this.pages[pages[at]!]!;
    const before = at === 0 ? root : this.pages[pages[at - 1]!]!.serial;
    const isReachable = at === 0 || before !== root;
    const key = this.keyOf(before, tokens, end);
    // Another text read the same at the same time: one page is enough to be found.
    if (page.key !== undefined || !isReachable || this.byTokens.has(key)) return;
    page.key = key;
    page.serial = ++this.serials;
    this.byTokens.set(key, pages[at]!);
  }

  private keyOf(before: number, tokens: readonly number[], end: number): string {
    return `${before}:${tokens.slice(end - this.pageSize, end).join()}`;
  }

  private longestIdle(): number | undefined {
    const [page] = this.idle;
    if (page === undefined) return undefined;
    this.idle.delete(page);
    const held = this.pages[page]!;
    this.byTokens.delete(held.key!);
    held.key = undefined;
    held.serial = root;
    return page;
  }
}
