/** Counts for Prometheus, in its text format. */

/** Bounds of a histogram, in seconds. */
const bounds = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60] as const;

interface Histogram {
  readonly counts: number[];
  sum: number;
}

export class Metrics {
  private readonly requests = new Map<string, number>();
  private readonly histograms = new Map<string, Histogram>();
  promptTokens = 0;
  answerTokens = 0;

  countRequest(path: string, status: number): void {
    const key = `path="${path}",status="${status}"`;
    this.requests.set(key, (this.requests.get(key) ?? 0) + 1);
  }

  /** @param name of the histogram, such as `time_to_first_token_seconds` */
  observe(name: string, seconds: number): void {
    const found = this.histograms.get(name) ?? { counts: bounds.map(() => 0).concat(0), sum: 0 };
    this.histograms.set(name, found);
    const bucket = bounds.findIndex((bound) => seconds <= bound);
    found.counts[bucket < 0 ? bounds.length : bucket]!++;
    found.sum += seconds;
  }

  /** @param values the state of things now, or counts that others keep, by name */
  text(
    values: Readonly<Record<string, { readonly type: "gauge" | "counter"; readonly value: number }>>,
  ): string {
    const lines: string[] = [];
    const named = (name: string, type: string, rows: readonly string[]): void => {
      lines.push(`# TYPE netwright_${name} ${type}`, ...rows.map((row) => `netwright_${name}${row}`));
    };
    const requests = [...this.requests].map(([labels, count]) => `{${labels}} ${count}`);
    named("requests_total", "counter", requests);
    named("prompt_tokens_total", "counter", [` ${this.promptTokens}`]);
    named("answer_tokens_total", "counter", [` ${this.answerTokens}`]);
    for (const [name, { type, value }] of Object.entries(values)) named(name, type, [` ${value}`]);
    for (const [name, { counts, sum }] of this.histograms) {
      let total = 0;
      const rows = counts.map((count, i) => `_bucket{le="${bounds[i] ?? "+Inf"}"} ${(total += count)}`);
      named(name, "histogram", [...rows, `_sum ${sum}`, `_count ${total}`]);
    }
    return `${lines.join("\n")}\n`;
  }
}
