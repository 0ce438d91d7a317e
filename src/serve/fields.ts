/** Reading the fields of a request's body: each is checked when it is read, and those that nobody knows are refused. */
import { nearestName } from "../base/errors.ts";
import { ApiError, wrongField } from "./api-error.ts";

type Range = { readonly least?: number; readonly most?: number };

export class Fields {
  private readonly values: Readonly<Record<string, unknown>>;

  /** @param known all names; null counts as left out */
  constructor(body: unknown, known: readonly string[]) {
    if (typeof body !== "object" || body === null || Array.isArray(body))
      throw new ApiError(400, "the body must be an object of JSON");
    this.values = body as Readonly<Record<string, unknown>>;
    for (const name of Object.keys(this.values)) {
      if (known.includes(name) || this.values[name] === null) continue;
      const nearest = nearestName(name, known);
      const hint = nearest === undefined ? "" : `; did you mean "${nearest}"?`;
      throw new ApiError(400, `there is no field "${name.slice(0, 60)}" here${hint}`, {
        param: name.slice(0, 60),
        code: "unknown_parameter",
      });
    }
  }

  /** As it came; undefined when left out. */
  get(name: string): unknown {
    return this.values[name] ?? undefined;
  }

  private read<T>(name: string, wanted: string, is: (value: unknown) => value is T): T | undefined {
    const value = this.get(name);
    if (value === undefined || is(value)) return value;
    throw wrongField(name, wanted, value);
  }

  number(name: string, { least = -Infinity, most = Infinity }: Range = {}): number | undefined {
    const is = (value: unknown): value is number =>
      typeof value === "number" && value >= least && value <= most;
    return this.read(name, rangeText("a number", { least, most }), is);
  }

  integer(name: string, { least = -Infinity, most = Infinity }: Range = {}): number | undefined {
    const is = (value: unknown): value is number =>
      Number.isInteger(value) && (value as number) >= least && (value as number) <= most;
    return this.read(name, rangeText("an integer", { least, most }), is);
  }

  boolean(name: string): boolean | undefined {
    return this.read(name, "true or false", (value) => typeof value === "boolean");
  }

  string(name: string): string | undefined {
    return this.read(name, "a text", (value) => typeof value === "string");
  }

  /** One text, or up to `most` of them. */
  strings(name: string, most: number): readonly string[] | undefined {
    const is = (value: unknown): value is string | readonly string[] =>
      typeof value === "string" ||
      (Array.isArray(value) && value.length <= most && value.every((item) => typeof item === "string"));
    const found = this.read(name, `a text or up to ${most} of them`, is);
    return typeof found === "string" ? [found] : found;
  }
}

function rangeText(what: string, { least, most }: Required<Range>): string {
  if (least === -Infinity && most === Infinity) return what;
  if (most === Infinity) return `${what} of ${least} or more`;
  return `${what} from ${least} to ${most}`;
}
