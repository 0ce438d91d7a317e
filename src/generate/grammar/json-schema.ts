/** JSON Schema as a grammar. Wright and others, draft 2020-12. */
import { ArgumentError, nearestName } from "../../base/errors.ts";
import {
  choice,
  type Expression,
  type Grammar,
  literal,
  nothing,
  repeat,
  rule,
  sequence,
} from "./expression.ts";
import { integersBetween } from "./integer-range.ts";
import {
  anyRules,
  anyText,
  anyValue,
  brackets,
  lettersInText,
  list,
  member,
  number,
  quoted,
  space,
  textLetter,
} from "./json.ts";
import { expressionOfPattern } from "./pattern.ts";

type Schema = Readonly<Record<string, unknown>>;

/** What changes nothing about which values are valid, or is not meant to. */
const annotations = [
  ...[
    "title",
    "description",
    "default",
    "examples",
    "$schema",
    "$id",
    "$comment",
    "format",
    "readOnly",
    "writeOnly",
  ],
  ...["deprecated", "$defs", "definitions", "strict"],
];
const keywords: Readonly<Record<string, readonly string[]>> = {
  any: ["type", "enum", "const", "anyOf", "oneOf", "allOf", "$ref", "nullable"],
  object: ["properties", "required", "additionalProperties"],
  array: ["items", "prefixItems", "minItems", "maxItems"],
  string: ["minLength", "maxLength", "pattern"],
  integer: ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"],
};
const known = [...Object.values(keywords).flat(), ...annotations];
const types = ["object", "array", "string", "integer", "number", "boolean", "null"] as const;
type Type = (typeof types)[number];

/** How deep schemas may lie within each other. */
const mostDepth = 64;

export function expressionOfSchema(schema: unknown): Grammar {
  return new SchemaGrammar(schema).grammar();
}

class SchemaGrammar {
  private readonly whole: unknown;
  private readonly rules = new Map<string, Expression>(anyRules);
  private readonly entered = new Set<string>();
  private depth = 0;

  constructor(whole: unknown) {
    this.whole = whole;
  }

  grammar(): Grammar {
    return { root: this.referred("#"), rules: this.rules };
  }

  /** A rule for what lies at a place of the schema, such as "#/$defs/person". */
  private referred(place: string): Expression {
    const name = `schema ${place}`;
    if (!this.entered.has(place)) {
      this.entered.add(place);
      this.rules.set(name, this.of(this.at(place), place));
    }
    return rule(name);
  }

  private at(place: string): unknown {
    if (!/^#(\/.*)?$/.test(place))
      throw new ArgumentError(
        `the schema refers to ${JSON.stringify(place.slice(0, 80))}; references within it, "#/…", are known`,
      );
    let found: unknown = this.whole;
    for (const part of place.split("/").slice(1)) {
      const key = decoded(part).replaceAll("~1", "/").replaceAll("~0", "~");
      const has = typeof found === "object" && found !== null && Object.hasOwn(found, key);
      if (!has)
        throw new ArgumentError(
          `the schema refers to ${JSON.stringify(place.slice(0, 80))}, which is not there`,
        );
      found = (found as Schema)[key];
    }
    return found;
  }

  private of(schema: unknown, place: string): Expression {
    if (schema === true) return anyValue;
    if (typeof schema !== "object" || schema === null || Array.isArray(schema))
      throw new ArgumentError(
        `the schema at ${place} must be an object${schema === false ? ": false allows nothing" : `, got ${JSON.stringify(schema)?.slice(0, 40)}`}`,
      );
    if (++this.depth > mostDepth) throw new ArgumentError(`the schema is nested more than ${mostDepth} deep`);
    requireKnown(schema as Schema, place);
    const found = this.ofObject(schema as Schema, place);
    this.depth--;
    return found;
  }

  private ofObject(schema: Schema, place: string): Expression {
    const { $ref: reference, anyOf, oneOf, allOf } = schema;
    if (reference !== undefined) {
      if (typeof reference !== "string") throw wrong(place, "$ref", "a text", reference);
      return this.referred(reference);
    }
    if (schema["const"] !== undefined || "const" in schema) return valueText(schema["const"]);
    if (schema["enum"] !== undefined) {
      const values = schema["enum"];
      if (!Array.isArray(values) || values.length === 0)
        throw wrong(place, "enum", "a list of values", values);
      return choice(...values.map(valueText));
    }
    for (const [keyword, list] of Object.entries({ anyOf, oneOf, allOf })) {
      if (list === undefined) continue;
      if (!Array.isArray(list) || list.length === 0) throw wrong(place, keyword, "a list of schemas", list);
      if (keyword === "allOf" && list.length > 1)
        throw wrong(place, keyword, "a list of one schema", `${list.length} of them`);
      const options = list.map((option, i) => this.of(option, `${place}/${keyword}/${i}`));
      return choice(...options, ...(schema["nullable"] === true ? [literal("null")] : []));
    }
    const options = typesOf(schema, place).map((type) => this.ofType(type, schema, place));
    return choice(...options, ...(schema["nullable"] === true ? [literal("null")] : []));
  }

  private ofType(type: Type | "any", schema: Schema, place: string): Expression {
    switch (type) {
      case "any":
        return anyValue;
      case "object":
        return this.object(schema, place);
      case "array":
        return this.array(schema, place);
      case "string":
        return text(schema, place);
      case "integer":
        return integers(schema, place);
      case "number": {
        const bound = keywords["integer"]!.find((keyword) => schema[keyword] !== undefined);
        if (bound !== undefined)
          throw new ArgumentError(
            `the schema at ${place} has "${bound}" for "number"; bounds of "integer" are known`,
          );
        return number;
      }
      case "boolean":
        return choice(literal("true"), literal("false"));
      case "null":
        return literal("null");
    }
  }

  private object(schema: Schema, place: string): Expression {
    const { properties = {}, required = [], additionalProperties: others = true } = schema;
    if (typeof properties !== "object" || properties === null || Array.isArray(properties))
      throw wrong(place, "properties", "an object", properties);
    if (!Array.isArray(required) || !required.every((name) => typeof name === "string"))
      throw wrong(place, "required", "a list of names", required);
    const names = Object.keys(properties);
    const missing = (required as readonly string[]).find((name) => !names.includes(name));
    if (missing !== undefined)
      throw new ArgumentError(
        `the schema at ${place} requires ${JSON.stringify(missing)}, which "properties" does not describe`,
      );
    if (names.length === 0) {
      if (others === false) return brackets("{", nothing, "}");
      const value = this.of(others, `${place}/additionalProperties`);
      return brackets("{", list(member(anyText, value), 0, Infinity), "}");
    }
    const members = names.map((name) => ({
      expression: member(
        literal(JSON.stringify(name)),
        this.of((properties as Schema)[name], `${place}/properties/${pointer(name)}`),
      ),
      isRequired: required.includes(name),
    }));
    return brackets("{", this.members(members, place), "}");
  }

  /** Members in their order, those that are not required perhaps left out: a rule for what follows each, with and without a comma. */
  private members(
    members: readonly { expression: Expression; isRequired: boolean }[],
    place: string,
  ): Expression {
    const nameOf = (i: number, isFirst: boolean): string => `members ${place} ${i} ${isFirst}`;
    for (let i = members.length; i >= 0; i--)
      for (const isFirst of [true, false]) {
        const own = members[i];
        if (own === undefined) {
          this.rules.set(nameOf(i, isFirst), nothing);
          continue;
        }
        const comma = isFirst ? nothing : sequence(literal(","), space);
        const taken = sequence(comma, own.expression, rule(nameOf(i + 1, false)));
        this.rules.set(
          nameOf(i, isFirst),
          own.isRequired ? taken : choice(taken, rule(nameOf(i + 1, isFirst))),
        );
      }
    return rule(nameOf(0, true));
  }

  private array(schema: Schema, place: string): Expression {
    const { items = true, prefixItems = [] } = schema;
    const [least, most] = bounds(schema, place, "minItems", "maxItems");
    if (!Array.isArray(prefixItems)) throw wrong(place, "prefixItems", "a list of schemas", prefixItems);
    const first = prefixItems.map((item, i) => this.of(item, `${place}/prefixItems/${i}`));
    if (first.length > 0) {
      // What may follow them is left out, as it may be.
      if (least > first.length)
        throw wrong(place, "minItems", `at most ${first.length}, the number of prefixItems`, least);
      const all = first.slice(0, Math.min(first.length, most));
      const joined = all.flatMap((item, i) => (i === 0 ? [item] : [literal(","), space, item]));
      return brackets("[", sequence(...joined), "]");
    }
    if (items === false) return brackets("[", nothing, "]");
    return brackets("[", list(this.of(items, `${place}/items`), least, most), "]");
  }
}

function requireKnown(schema: Schema, place: string): void {
  const own = Object.keys(schema);
  const other = own.find((keyword) => !known.includes(keyword));
  if (other === undefined) return;
  const near = nearestName(other, known);
  throw new ArgumentError(
    `the schema at ${place} has "${other.slice(0, 40)}", which is not known${near ? `; did you mean "${near}"?` : ""}`,
  );
}

/** The types that a value may have; "any" where nothing says. */
function typesOf(schema: Schema, place: string): readonly (Type | "any")[] {
  const { type } = schema;
  if (type !== undefined) {
    const list = [type].flat();
    const isKnown = (name: unknown): name is Type => (types as readonly unknown[]).includes(name);
    if (list.length === 0 || !list.every(isKnown))
      throw wrong(place, "type", `one of ${types.join(", ")}, or several`, type);
    return list.includes("number") ? (list.filter((name) => name !== "integer") as Type[]) : (list as Type[]);
  }
  const told = (Object.keys(keywords) as (Type | "any")[]).filter(
    (name) => name !== "any" && keywords[name]!.some((keyword) => keyword in schema),
  );
  return told.length === 0 ? ["any"] : told;
}

function text(schema: Schema, place: string): Expression {
  const [least, most] = bounds(schema, place, "minLength", "maxLength");
  const { pattern } = schema;
  if (pattern === undefined) return quoted(repeat(textLetter, least, most));
  if (typeof pattern !== "string") throw wrong(place, "pattern", "a text", pattern);
  if (least > 0 || most < Infinity)
    throw new ArgumentError(
      `the schema at ${place} has "pattern" and a length; say the length in the pattern`,
    );
  return quoted(expressionOfPattern(pattern, lettersInText, { isSearch: true }));
}

function integers(schema: Schema, place: string): Expression {
  const bound = (keyword: string): number | undefined => {
    const value = schema[keyword];
    if (value === undefined || typeof value === "number") return value;
    throw wrong(place, keyword, "a number", value);
  };
  const above = bound("exclusiveMinimum");
  const below = bound("exclusiveMaximum");
  const least = Math.max(
    bound("minimum") ?? -Infinity,
    above === undefined ? -Infinity : Math.floor(above) + 1,
  );
  const most = Math.min(bound("maximum") ?? Infinity, below === undefined ? Infinity : Math.ceil(below) - 1);
  return integersBetween(least, most);
}

function bounds(schema: Schema, place: string, low: string, high: string): readonly [number, number] {
  const [least, most] = [low, high].map((keyword, i) => {
    const value = schema[keyword] ?? [0, Infinity][i];
    if (value === Infinity || (Number.isInteger(value) && (value as number) >= 0)) return value as number;
    throw wrong(place, keyword, "an integer of 0 or more", value);
  }) as [number, number];
  if (least > most)
    throw new ArgumentError(`the schema at ${place} has ${low} ${least} above ${high} ${most}`);
  return [least, most];
}

const wrong = (place: string, keyword: string, wanted: string, got: unknown): ArgumentError =>
  new ArgumentError(
    `the schema at ${place}: "${keyword}" must be ${wanted}, got ${(JSON.stringify(got) ?? String(got)).slice(0, 60)}`,
  );

const valueText = (value: unknown): Expression => literal(JSON.stringify(value) ?? "null");
const pointer = (name: string): string =>
  encodeURIComponent(name.replaceAll("~", "~0").replaceAll("/", "~1"));

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
