/** Conversations to learn from, one a line of a JSONL file; what is wrong is named by file, line and key. */
import { readFile } from "#platform";
import { FormatError, nearestName } from "../base/errors.ts";
import type { ChatMessage } from "../generate/index.ts";

/** A conversation, and where it stands. */
export interface Conversation {
  readonly messages: readonly ChatMessage[];
  /** For messages: `"chat.jsonl", line 3`. */
  readonly place: string;
}

const roles = ["system", "user", "assistant", "tool"];

/**
 * Reads a JSONL file of conversations: each line is an object with `messages`, a list of `{ role, content }`; or with `prompt` and
 * `completion`, which stand for what a user says and the answer. Other keys of a line are left alone. Empty lines are passed over.
 *
 * @throws FileError; FormatError naming file, line and key for what is no such object, has an unknown role or nothing to learn
 * @example
 * const conversations = await readConversations("chat.jsonl");
 * conversations[0]!.messages[0]!.role; // "user"
 */
export async function readConversations(path: string): Promise<Conversation[]> {
  return (await readRows(path, "conversations")).map(conversationOf);
}

/** Two answers to the same, and where they stand. */
export interface Preference {
  /** The conversation with the better answer at its end. */
  readonly chosen: readonly ChatMessage[];
  /** The same with the worse one. */
  readonly rejected: readonly ChatMessage[];
  /** For messages: `"pairs.jsonl", line 3`. */
  readonly place: string;
}

/**
 * Reads a JSONL file of preferences: each line is an object with `prompt`, what a user says or a list of `{ role, content }`, and two
 * answers, `chosen` and `rejected`. Other keys of a line are left alone. Empty lines are passed over.
 *
 * @throws FileError; FormatError naming file, line and key for what is no such object, and for answers that are equal
 * @example
 * const pairs = await readPreferences("pairs.jsonl");
 * pairs[0]!.rejected.at(-1)!.role; // "assistant"
 */
export async function readPreferences(path: string): Promise<Preference[]> {
  return (await readRows(path, "preferences")).map(preferenceOf);
}

interface Row {
  readonly row: Readonly<Record<string, unknown>>;
  readonly place: string;
}

async function readRows(path: string, what: string): Promise<Row[]> {
  const text = new TextDecoder().decode(await readFile(path));
  const lines = text.replace(/^\ufeff/, "").split("\n");
  const found = lines.flatMap((line, i) =>
    line.trim() === "" ? [] : [rowOf(line, `"${path}", line ${i + 1}`)],
  );
  if (found.length === 0) throw new FormatError(`"${path}" holds no ${what}: one JSON object a line`);
  return found;
}

function rowOf(line: string, place: string): Row {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (cause) {
    throw new FormatError(`${place} is no JSON: ${(cause as Error).message}`, { cause });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new FormatError(`${place}: an object is expected, got ${kindOf(value)}`);
  return { row: value as Row["row"], place };
}

function preferenceOf({ row, place }: Row): Preference {
  const [chosen, rejected] = (["chosen", "rejected"] as const).map((key) =>
    textOf(keyOf(row, key, place), `${place}: ${key}`),
  ) as [string, string];
  if (chosen === rejected)
    throw new FormatError(`${place}: chosen and rejected are equal, so nothing is preferred`);
  const prompt = keyOf(row, "prompt", place);
  const before = Array.isArray(prompt)
    ? prompt.map((message: unknown, i) => messageOf(message, `${place}: prompt[${i}]`))
    : [{ role: "user", content: textOf(prompt, `${place}: prompt`) }];
  if (before.length === 0) throw new FormatError(`${place}: prompt is empty`);
  const withAnswer = (content: string): ChatMessage[] => [...before, { role: "assistant", content }];
  return { chosen: withAnswer(chosen), rejected: withAnswer(rejected), place };
}

/** The value of a key that must be there. */
function keyOf(row: Row["row"], key: string, place: string): unknown {
  if (row[key] !== undefined) return row[key];
  const nearest = nearestName(key, Object.keys(row));
  const hint = nearest === undefined ? "" : `; is "${nearest}" meant?`;
  throw new FormatError(`${place}: ${key} is missing${hint}`);
}

function conversationOf({ row, place }: Row): Conversation {
  if (row["messages"] !== undefined) return { messages: messagesOf(row["messages"], place), place };
  if (row["prompt"] === undefined && row["completion"] === undefined)
    throw new FormatError(noMessages(place, row));
  const text = (key: "prompt" | "completion"): string => textOf(keyOf(row, key, place), `${place}: ${key}`);
  return {
    messages: [
      { role: "user", content: text("prompt") },
      { role: "assistant", content: text("completion") },
    ],
    place,
  };
}

function noMessages(place: string, row: Readonly<Record<string, unknown>>): string {
  const keys = Object.keys(row);
  const near = keys.find((key) => nearestName(key, ["messages", "prompt", "completion"]) !== undefined);
  const hint = near === undefined ? "" : `; is "${near}" meant?`;
  return `${place} has neither messages nor prompt and completion, but ${keys.join(", ") || "no keys"}${hint}`;
}

function messagesOf(value: unknown, place: string): ChatMessage[] {
  if (!Array.isArray(value)) throw new FormatError(`${place}: messages must be a list, got ${kindOf(value)}`);
  const messages = value.map((message: unknown, i) => messageOf(message, `${place}: messages[${i}]`));
  const learnt = messages.filter(({ role }) => role === "assistant");
  if (learnt.length === 0)
    throw new FormatError(`${place}: no message is the assistant's, so there is nothing to learn`);
  return messages;
}

function messageOf(value: unknown, at: string): ChatMessage {
  if (typeof value !== "object" || value === null)
    throw new FormatError(`${at} must be an object with role and content, got ${kindOf(value)}`);
  const { role, content } = value as { readonly role?: unknown; readonly content?: unknown };
  if (typeof role !== "string" || !roles.includes(role)) {
    const nearest = typeof role === "string" ? nearestName(role, roles) : undefined;
    const hint = nearest === undefined ? "" : `; did you mean "${nearest}"?`;
    throw new FormatError(
      `${at}.role must be one of ${roles.join(", ")}, got ${JSON.stringify(role)}${hint}`,
    );
  }
  return { role, content: textOf(content, `${at}.content`, role === "assistant") };
}

function textOf(value: unknown, at: string, isLearnt = true): string {
  if (typeof value !== "string") throw new FormatError(`${at} must be a string, got ${kindOf(value)}`);
  if (isLearnt && value.trim() === "") throw new FormatError(`${at} is empty`);
  return value;
}

const kindOf = (value: unknown): string =>
  value === undefined
    ? "nothing"
    : value === null
      ? "null"
      : Array.isArray(value)
        ? "a list"
        : `a ${typeof value}`;
