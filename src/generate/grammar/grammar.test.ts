/** Grammars: what automata accept, what models write, and what schemas from outside may cost. */
import { beforeAll, describe, expect, test } from "vitest";
import { byTier } from "../../../test/tier.ts";
import { Llama } from "../../models/index.ts";
import { loadTokenizer, type Tokenizer, trainBpe } from "../../text/index.ts";
import { Batching, Decoding, generateTokens, OutputGrammar } from "../index.ts";
import { Automaton, type State } from "./automaton.ts";
import type { Grammar } from "./expression.ts";
import { integersBetween } from "./integer-range.ts";
import { anyJson } from "./json.ts";
import { expressionOfSchema } from "./json-schema.ts";
import { expressionOfPattern } from "./pattern.ts";

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Whether a grammar has a text. */
function acceptorOf(grammar: Grammar): (text: string) => boolean {
  const automaton = new Automaton(grammar);
  return (text) => {
    let state: State | undefined = automaton.start;
    for (const byte of bytesOf(text)) state = state && automaton.step(state, byte);
    return state?.mayEnd ?? false;
  };
}
const ofSchema = (schema: unknown) => acceptorOf(expressionOfSchema(schema));
const ofPattern = (pattern: string, options = {}) =>
  acceptorOf({ rules: new Map(), root: expressionOfPattern(pattern, undefined, options) });

/** All texts over an alphabet, up to a length. */
function* textsOver(alphabet: string, length: number): Generator<string> {
  yield "";
  if (length > 0)
    for (const rest of textsOver(alphabet, length - 1)) for (const sign of alphabet) yield sign + rest;
}

describe("patterns", () => {
  test.each([
    ["a*b", "abc"],
    ["(ab|c)+", "abc"],
    ["[^a]{2,3}", "abé"],
    ["a{2}b?|c{0,1}", "abc"],
    ["(?:a|)(b|bc)c", "abc"],
    ["\\d[a-b]|\\w", "a1é"],
    ["(a*)*b", "ab"],
    [".é?", "aé\n"],
    ["a+?b{1,}", "ab"],
    ["\\.\\x61\\u00e9", ".aé"],
    ["[\\]a\\-]+", "]a-"],
    ["", "a"],
  ])("%s matches what RegExp does", (pattern, alphabet) => {
    const [whole, somewhere] = [ofPattern(pattern), ofPattern(pattern, { isSearch: true })];
    for (const text of new Set(textsOver(alphabet, byTier(4, 6)))) {
      expect([text, whole(text)]).toEqual([text, new RegExp(`^(?:${pattern})$`, "u").test(text)]);
      expect([text, somewhere(text)]).toEqual([text, new RegExp(pattern, "u").test(text)]);
    }
  });

  test("letters of one to four bytes, by their code points", () => {
    const has = ofPattern("[\\u0041-\\u0900\ufff0-\u{10400}]");
    for (let code = 0; code < 0x10900; code += code < 0x1000 ? 1 : 37) {
      if (code >= 0xd800 && code < 0xe000) continue;
      const inside = (code >= 0x41 && code <= 0x900) || (code >= 0xfff0 && code <= 0x10400);
      expect([code, has(String.fromCodePoint(code))]).toEqual([code, inside]);
    }
  });

  test("what is none, or not known", () => {
    const message = (pattern: string): string => {
      try {
        expressionOfPattern(pattern);
      } catch (error) {
        return (error as Error).message;
      }
      return "no error";
    };
    const wrong = [
      "(a",
      "a)",
      "[a",
      "*a",
      "a{3,1}",
      "a{5000}",
      "(?=a)",
      "\\b",
      "[b-a]",
      "^a|b$",
      "a^b",
      "\\u12",
      "\\",
      "[]",
    ];
    expect(wrong.map(message)).toMatchInlineSnapshot(`
      [
        "the pattern "(a" lacks a ")"",
        "the pattern "a)" has a ")" too many",
        "the pattern "[a" lacks a "]"",
        "the pattern "*a" has a "*" where none may stand; write "\\*" for the sign",
        "the pattern "a{3,1}" has turns from 3 to 1; up to 1000 are known",
        "the pattern "a{5000}" has turns from 5000 to 5000; up to 1000 are known",
        "the pattern "(?=a)" has a group of a kind that is not known; (…) and (?:…) are",
        "the pattern "\\\\b" has "\\b", which is not known",
        "the pattern "[b-a]" has a range that is none",
        "the pattern "^a|b$" has alternatives beside ^ or $; put them in a group",
        "the pattern "a^b" has a "^" where none may stand; write "\\^" for the sign",
        "the pattern "\\\\u12" has a "\\u" without its 4 digits",
        "the pattern "\\\\" ends with a "\\"",
        "a set of letters that holds none can never be written",
      ]
    `);
    expect(message(`${"(".repeat(100)}a${")".repeat(100)}`)).toMatch(/nested more than 50 deep/);
  });
});

test("integers between bounds", () => {
  const bounds = [
    [0, 0],
    [3, 17],
    [-5, 5],
    [-1200, -37],
    [99, 1001],
    [-7, 1_234_567],
    [10, 10],
  ] as const;
  for (const [least, most] of bounds) {
    const has = acceptorOf({ rules: new Map(), root: integersBetween(least, most) });
    for (const near of [0, least, most, -1, 1, 10, 100, -100, 999, 1000])
      for (let value = near - 30; value <= near + 30; value++)
        expect([least, most, value, has(String(value))]).toEqual([
          least,
          most,
          value,
          value >= least && value <= most,
        ]);
    expect(has("007")).toBe(false);
    expect(has("-0")).toBe(false);
  }
  expect(() => integersBetween(0.2, 0.8)).toThrow("no whole number lies between 0.2 and 0.8");
});

const person = {
  type: "object",
  properties: {
    name: { type: "string", maxLength: 6 },
    age: { type: "integer", minimum: 0, maximum: 120 },
    tags: { type: "array", items: { enum: ["a", "b", 3, null] }, minItems: 1, maxItems: 3 },
    home: { anyOf: [{ type: "null" }, { $ref: "#/$defs/place" }] },
    size: { type: ["number", "boolean"] },
  },
  required: ["name", "tags"],
  additionalProperties: false,
  $defs: {
    place: {
      type: "object",
      properties: { city: { type: "string", pattern: '^[A-Z"]+$' }, in: { $ref: "#/$defs/place" } },
      required: ["city"],
    },
  },
};

describe("schemas", () => {
  test("what a schema describes, and what it does not", () => {
    const has = ofSchema(person);
    const valid = [
      { name: "Ann", tags: ["a"] },
      { name: "", age: 120, tags: ["b", 3, null] },
      { name: 'é"\\\n🎉', tags: [3], home: null, size: -1.5e-7 },
      { name: "x", tags: ["a"], home: { city: 'A"B', in: { city: "C" } }, size: true },
    ];
    for (const value of valid) expect([value, has(JSON.stringify(value))]).toEqual([value, true]);
    expect(has('{ "name": "Ann", "tags": ["a", "b"] }')).toBe(true);
    expect(has('{\n  "name": "Ann",\n  "tags": [\n    "a"\n  ]\n}')).toBe(true);
    const wrong = [
      ...[
        "{}",
        '{"name":"Ann"}',
        '{"tags":["a"],"name":"Ann"}',
        '{"name":"Ann","tags":[]}',
        '{"name":"Ann","tags":["c"]}',
      ],
      ...[
        '{"name":"longer!","tags":["a"]}',
        '{"name":"Ann","age":121,"tags":["a"]}',
        '{"name":"Ann","age":-1,"tags":["a"]}',
      ],
      ...[
        '{"name":"Ann","tags":["a"],"other":1}',
        '{"name":"Ann","tags":["a"],"home":{}}',
        '{"name":"Ann","tags":["a"],}',
      ],
      ...[
        '{"name":"Ann","tags":["a","a","a","a"]}',
        '{"name":"Ann","tags":["a"]',
        '{"name":"A\nb","tags":["a"]}',
        "",
      ],
      ...[
        '{"name":"Ann","tags":["a"],"size":01}',
        '{"name":"Ann","tags":["a"],"home":{"city":"a"}}',
        '{"name":"\\ud800","tags":["a"]}',
      ],
    ];
    for (const text of wrong) expect([text, has(text)]).toEqual([text, false]);
  });

  test("any JSON is JSON", () => {
    const [value, object] = [acceptorOf(anyJson("value")), acceptorOf(anyJson("object"))];
    const values = [[1, [2, { a: [] }]], { "": { x: null } }, "\u0001", -0.5, 12e10, [], {}, true];
    for (const each of values) expect([each, value(JSON.stringify(each))]).toEqual([each, true]);
    expect([object("[]"), object('{"a":[1, 2]}'), object('{"a":1,}'), value("1."), value("nul")]).toEqual([
      ...[false, true, false, false, false],
    ]);
    expect(value(`${"[".repeat(50)}${"]".repeat(50)}`)).toBe(true);
    expect(ofSchema({ properties: {}, additionalProperties: { type: "integer" } })('{"a": 1, "b": 2}')).toBe(
      true,
    );
    expect(ofSchema({ prefixItems: [{ type: "integer" }, { const: "x" }] })('[1, "x"]')).toBe(true);
  });

  test("wrong ones say what is wrong, and where", () => {
    const message = (schema: unknown): string => {
      try {
        new Automaton(expressionOfSchema(schema));
      } catch (error) {
        return (error as Error).message;
      }
      return "no error";
    };
    expect([
      message([]),
      message({ type: "text" }),
      message({ properties: { a: { not: {} } } }),
      message({ type: "object", propertees: {} }),
      message({ properties: { "a/b": false } }),
      message({ required: ["a"], properties: {} }),
      message({ type: "number", minimum: 3 }),
      message({ minLength: 3, maxLength: 2 }),
      message({ minItems: -1 }),
      message({ $ref: "#/$defs/none" }),
      message({ $ref: "https://example.org/x" }),
      message({ enum: [] }),
      message({ allOf: [{}, {}] }),
      message({ pattern: "(" }),
    ]).toMatchInlineSnapshot(`
      [
        "the schema at # must be an object, got []",
        "the schema at #: "type" must be one of object, array, string, integer, number, boolean, null, or several, got "text"",
        "the schema at #/properties/a has "not", which is not known",
        "the schema at # has "propertees", which is not known; did you mean "properties"?",
        "the schema at #/properties/a~1b must be an object: false allows nothing",
        "the schema at # requires "a", which "properties" does not describe",
        "the schema at # has "minimum" for "number"; bounds of "integer" are known",
        "the schema at # has minLength 3 above maxLength 2",
        "the schema at #: "minItems" must be an integer of 0 or more, got -1",
        "the schema refers to "#/$defs/none", which is not there",
        "the schema refers to "https://example.org/x"; references within it, "#/…", are known",
        "the schema at #: "enum" must be a list of values, got []",
        "the schema at #: "allOf" must be a list of one schema, got "2 of them"",
        "the pattern "(" lacks a ")"",
      ]
    `);
  });

  test("hostile ones are refused, or end soon", () => {
    const deep = (schema: unknown, depth: number): unknown =>
      depth === 0 ? schema : { items: deep(schema, depth - 1) };
    const make = (schema: unknown) => () => new Automaton(expressionOfSchema(schema));
    expect(make(deep({}, 100))).toThrow(/nested more than 64 deep/);
    expect(make({ type: "string", maxLength: 1e9 })).toThrow(/too large: more than 60000 places/);
    expect(make({ type: "array", maxItems: 1e6, items: { type: "string", maxLength: 9 } })).toThrow(
      /too large/,
    );
    expect(make({ enum: Array.from({ length: 20_000 }, (_, i) => `value ${i}`) })).toThrow(/too large/);
    expect(make({ pattern: "((a{1,900}){1,900})" })).toThrow(/too large/);
    expect(() => ofSchema({ pattern: "(((a?){30}){30}){30}" })('"a')).toThrow(/more than 512 ways open/);
    // References that lead nowhere but to themselves: no text is one.
    expect(ofSchema({ $ref: "#" })("{}")).toBe(false);
    expect(
      ofSchema({ $defs: { a: { $ref: "#/$defs/b" }, b: { $ref: "#/$defs/a" } }, $ref: "#/$defs/a" })("1"),
    ).toBe(false);
    const endless = ofSchema({ type: "object", properties: { a: { $ref: "#" } }, required: ["a"] });
    expect(endless('{"a":'.repeat(200))).toBe(false);
    // Many ways at once are cut off where they begin to cost.
    const many = { anyOf: Array.from({ length: 600 }, (_, i) => ({ const: `x${"y".repeat(20)}${i}` })) };
    expect(() => ofSchema(many)(`"x${"y".repeat(20)}`)).toThrow(/more than 512 ways open/);
  });
});

describe("answers", () => {
  let tokenizer: Tokenizer;
  let model: Llama;
  beforeAll(async () => {
    const texts = ['{"name": "Ann", "age": 12, "tags": ["a", "b"]}', '{ "name": "Bob", "tags": [null, 3] }'];
    tokenizer = await loadTokenizer(await trainBpe(texts, { vocabularySize: 300, specialTokens: ["<end>"] }));
    const sizes = { hiddenSize: 16, numLayers: 1, numHeads: 2, intermediateSize: 24 };
    // Rows beyond the vocabulary, as models have them to fill up.
    model = new Llama({ vocabSize: tokenizer.vocabularySize + 20, ...sizes });
  });

  const textOf = async (tokens: AsyncIterable<number | { token: number }>): Promise<string> => {
    const all: number[] = [];
    for await (const made of tokens) all.push(typeof made === "number" ? made : made.token);
    return tokenizer.decode(all);
  };

  test("are of the form, whatever the model would say; one by one and in a batch alike", async () => {
    const grammar = OutputGrammar.jsonSchema(person, tokenizer);
    const has = ofSchema(person);
    const batching = new Batching(model, { slots: 4, maxLength: 400, pageSize: 16 });
    const endTokens = [tokenizer.idOf("<end>")!];
    const made = await Promise.all(
      Array.from({ length: byTier(12, 60) }, (_, key) =>
        textOf(
          batching.generate({ prompt: [5], maxNewTokens: 390, temperature: 1.2, key, endTokens, grammar }),
        ),
      ),
    );
    const whole = made.filter((text) => has(text));
    // A random model writes long numbers and many spaces: what is not whole was cut.
    expect(whole.length).toBeGreaterThan(made.length * 0.8);
    for (const text of whole)
      expect(Object.keys(JSON.parse(text))).toEqual(expect.arrayContaining(["name", "tags"]));
    expect(new Set(made).size).toBeGreaterThan(made.length / 2);
    const options = { maxNewTokens: 390, temperature: 1.2, key: 3, endTokens, grammar };
    expect(await textOf(generateTokens(model, [5], options))).toBe(made[3]);
  });

  test("end where nothing can follow; guesses and choices of few texts", async () => {
    const grammar = OutputGrammar.pattern("yes|no|nothing at all", tokenizer);
    const decoding = new Decoding(model, { maxLength: 80 });
    for (let key = 0; key < 6; key++) {
      decoding.rewind(0);
      const options = { maxNewTokens: 30, key, grammar, decoding, promptLookup: key % 2 ? 4 : 0 };
      expect(["yes", "no", "nothing at all"]).toContain(
        await textOf(generateTokens(model, [5, 6, 5, 6], options)),
      );
    }
    const json = OutputGrammar.json(tokenizer);
    const object = await textOf(
      generateTokens(model, [5], { maxNewTokens: 60, temperature: 0, grammar: json }),
    );
    expect(object[0]).toBe("{");
    const run = grammar.start();
    expect(() => run.accept(tokenizer.idOf("z")!)).toThrow(/may not come here by the grammar/);
  });

  test("bytes of tokens are those of the texts that they make", () => {
    for (const text of ["a dog, naïve 北京 🎉\n", '{"a": [1, 2]}']) {
      const bytes = tokenizer.encode(text).ids.flatMap((id) => [...tokenizer.bytesOf(id)!]);
      expect(new TextDecoder().decode(Uint8Array.from(bytes))).toBe(text);
    }
    expect(tokenizer.bytesOf(tokenizer.idOf("<end>")!)).toBeUndefined();
    expect(tokenizer.bytesOf(100_000)).toBeUndefined();
  });
});
