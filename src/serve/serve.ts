/** A server of one model, with OpenAI's routes. */
import { type HttpRequest, type HttpResponse, monotonicMs, serveHttp, sha256 } from "#platform";
import { ArgumentError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import type { BatchingOptions, BatchStatistics } from "../generate/index.ts";
import type { Pretrained, SentenceEncoder } from "../pretrained/index.ts";
import { ApiError, apiErrorOf } from "./api-error.ts";
import { askedOfChat } from "./chat.ts";
import { askedOfCompletion } from "./completions.ts";
import { embeddings, type ServedEncoder } from "./embeddings.ts";
import { Answering, type Asked } from "./endpoint.ts";
import { Metrics } from "./metrics.ts";
import { ServedModel } from "./served-model.ts";

export interface ServeOptions extends BatchingOptions {
  /** Default "127.0.0.1": this machine alone. */
  readonly host?: string;
  /** Default 8080; 0 takes one that is free. */
  readonly port?: number;
  /** What clients call the model; default "model". */
  readonly name?: string;
  /** Keys of which clients must send one (`Authorization: Bearer …`); default none, everybody may ask. */
  readonly apiKeys?: readonly string[];
  /** What `/v1/embeddings` answers with, and its name: another model, or the same one, `new SentenceEncoder(model, tokenizer)`. */
  readonly encoder?: SentenceEncoder;
  readonly encoderName?: string;
  /** Requests that wait for a slot; more are refused with 429. Default 64. */
  readonly maxWaiting?: number;
  /** The most tokens of an answer; default what the context has room for. */
  readonly maxNewTokens?: number;
  /** Of a request's body; default 1 MiB. */
  readonly maxBodyBytes?: number;
  /** How long a request may take from its first byte to its last token; default 600. */
  readonly timeoutSeconds?: number;
}

const optionNames = [
  ...["host", "port", "name", "apiKeys", "encoder", "encoderName"],
  ...["maxWaiting", "maxNewTokens", "maxBodyBytes", "timeoutSeconds"],
  ...["slots", "maxLength", "cacheTokens", "stepTokens", "pageSize"],
];

/** A running server. */
export interface Served {
  readonly url: string;
  readonly port: number;
  statistics(): BatchStatistics;
  /**
   * Refuses new requests and waits for the answers that are on their way.
   *
   * @param options.timeoutSeconds after which they are broken off; default never
   */
  stop(options?: { readonly timeoutSeconds?: number }): Promise<void>;
}

/**
 * Serves a model over HTTP as OpenAI's API does: `/v1/models`, `/v1/chat/completions`, `/v1/completions`, `/v1/embeddings`, and
 * `/health` and `/metrics` (Prometheus) beside them. Requests share the steps of one `Batching`; who goes away makes room at once.
 *
 * @throws ArgumentError for options that mean nothing and a model without a tokenizer; PlatformError where it cannot listen
 * @example
 * const server = await serve(await loadPretrained("llama.gguf"), { port: 0, slots: 2, maxLength: 32 });
 * const answer = await fetch(`${server.url}/v1/completions`, {
 *   method: "POST",
 *   headers: { "content-type": "application/json" },
 *   body: JSON.stringify({ model: "model", prompt: "the dog", max_tokens: 5, temperature: 0 }),
 * });
 * const { usage } = await answer.json();
 * usage.completion_tokens; // 5
 * await server.stop();
 */
export async function serve(pretrained: Pretrained, options: ServeOptions = {}): Promise<Served> {
  checkOptions("serve", options, optionNames);
  const { host = "127.0.0.1", port = 8080, timeoutSeconds = 600, maxBodyBytes = 2 ** 20 } = options;
  const { name = "model", encoder, encoderName = "embeddings", apiKeys = [], maxWaiting = 64 } = options;
  const { maxNewTokens = Infinity, slots, maxLength, cacheTokens, stepTokens, pageSize } = options;
  for (const [what, value] of Object.entries({ maxWaiting, maxNewTokens, maxBodyBytes, timeoutSeconds }))
    if (!(value > 0 || (value === 0 && what === "maxWaiting")))
      throw new ArgumentError(`serve: ${what} must be a positive number, got ${value}`);
  const sizes = { slots, maxLength, cacheTokens, stepTokens, pageSize };
  const given = Object.entries(sizes).filter(([, value]) => value !== undefined);
  const model = new ServedModel(name, pretrained, Object.fromEntries(given));
  await model.batching.prepare();
  const server = new ModelServer({
    ...{ model, maxBodyBytes, timeoutSeconds, keys: apiKeys.map(digest) },
    encoder: encoder && { name: encoderName, encoder },
    limits: { maxWaiting, maxNewTokens: Math.min(maxNewTokens, model.batching.maxLength) },
  });
  const http = await serveHttp({ host, port }, (request, response) => server.answer(request, response));
  const shown = host.includes(":") ? `[${host}]` : host;
  return {
    url: `http://${shown}:${http.port}`,
    port: http.port,
    statistics: () => model.batching.statistics(),
    stop: async ({ timeoutSeconds: patience = Infinity } = {}) => {
      server.isStopping = true;
      const timer = patience === Infinity ? undefined : setTimeout(() => http.closeNow(), patience * 1000);
      await http.close();
      clearTimeout(timer);
    },
  };
}

interface ServerParts {
  readonly model: ServedModel;
  readonly encoder: ServedEncoder | undefined;
  readonly limits: { readonly maxWaiting: number; readonly maxNewTokens: number };
  readonly maxBodyBytes: number;
  readonly timeoutSeconds: number;
  /** Digests of keys. */
  readonly keys: readonly string[];
}

type Route = (request: HttpRequest, response: HttpResponse) => Promise<void>;

class ModelServer {
  isStopping = false;
  private readonly parts: ServerParts;
  private readonly metrics = new Metrics();
  private readonly routes: Readonly<Record<string, Readonly<Record<string, Route>>>>;

  constructor(parts: ServerParts) {
    this.parts = parts;
    const asking =
      (read: (body: unknown) => Asked | Promise<Asked>): Route =>
      (request, response) =>
        this.complete(request, response, read);
    this.routes = {
      "/health": { GET: (_, response) => this.json(response, { status: "ok" }) },
      "/metrics": { GET: (_, response) => this.showMetrics(response) },
      "/v1/models": { GET: (_, response) => this.json(response, this.models()) },
      "/v1/chat/completions": { POST: asking((body) => askedOfChat(body, parts.model)) },
      "/v1/completions": { POST: asking((body) => askedOfCompletion(body, parts.model)) },
      "/v1/embeddings": { POST: (request, response) => this.embed(request, response) },
    };
  }

  async answer(request: HttpRequest, response: HttpResponse): Promise<void> {
    const path = request.path.split("?")[0]!;
    const known = Object.hasOwn(this.routes, path) ? path : "other";
    const started = monotonicMs();
    let status = 200;
    const watched: HttpResponse = {
      ...response,
      begin: (code, headers) => {
        status = code;
        response.begin(code, headers);
      },
    };
    try {
      await this.routed(path, request, watched);
    } catch (error) {
      const failure = apiErrorOf(error);
      if (request.left.aborted) status = 499;
      else this.refuse(watched, failure);
    } finally {
      this.metrics.countRequest(known, status);
      this.metrics.observe("request_seconds", (monotonicMs() - started) / 1000);
    }
  }

  private routed(path: string, request: HttpRequest, response: HttpResponse): Promise<void> {
    if (this.isStopping) throw new ApiError(503, "the server is stopping", { code: "stopping" });
    const methods = Object.hasOwn(this.routes, path) ? this.routes[path]! : this.modelRoute(path);
    if (path.startsWith("/v1/") || methods === undefined) this.requireKey(request);
    if (methods === undefined) throw new ApiError(404, `there is nothing at ${path.slice(0, 60)}`);
    const route = Object.hasOwn(methods, request.method) ? methods[request.method] : undefined;
    if (route === undefined)
      throw new ApiError(405, `${path} takes ${Object.keys(methods).join(", ")}, got ${request.method}`);
    return route(request, response);
  }

  private requireKey({ headers }: HttpRequest): void {
    const { keys } = this.parts;
    if (keys.length === 0) return;
    // Digests are compared, so that the time taken says nothing of a key.
    const sent = /^Bearer (.+)$/i.exec(headers["authorization"] ?? "")?.[1];
    if (sent !== undefined && keys.includes(digest(sent))) return;
    throw new ApiError(401, "send a key of this server: Authorization: Bearer KEY", {
      code: "invalid_api_key",
    });
  }

  /** An object of JSON. What a page of another origin can send without asking is refused. */
  private async bodyOf(request: HttpRequest): Promise<unknown> {
    const type = request.headers["content-type"] ?? "";
    if (!/^application\/json\b/i.test(type))
      throw new ApiError(
        415,
        `the body must come as application/json, got ${JSON.stringify(type.slice(0, 60))}`,
      );
    const { maxBodyBytes } = this.parts;
    const bytes = await request.body(maxBodyBytes);
    if (bytes === undefined) throw new ApiError(413, `the body is larger than ${maxBodyBytes} bytes`);
    try {
      return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    } catch (error) {
      throw new ApiError(400, `the body is no JSON: ${(error as Error).message.slice(0, 100)}`);
    }
  }

  private async complete(
    request: HttpRequest,
    response: HttpResponse,
    read: (body: unknown) => Asked | Promise<Asked>,
  ): Promise<void> {
    const { model, limits, timeoutSeconds } = this.parts;
    const asked = await read(await this.bodyOf(request));
    const ended = new AbortController();
    let timer = setTimeout(() => {
      const late = `the answer took longer than ${timeoutSeconds} seconds`;
      ended.abort(new ApiError(504, late, { code: "timeout" }));
      // A client that does not read what it gets cannot be told.
      timer = setTimeout(() => response.abort(), 2000);
    }, timeoutSeconds * 1000);
    const leave = (): void => ended.abort(request.left.reason);
    request.left.addEventListener("abort", leave);
    if (request.left.aborted) leave();
    try {
      const answering = new Answering(asked, model, limits, ended.signal);
      if (asked.sampling.stream) await this.stream(answering, response);
      else await this.json(response, await answering.whole(this.metrics));
    } finally {
      clearTimeout(timer);
      request.left.removeEventListener("abort", leave);
      // What fails one of several answers ends the others.
      ended.abort();
    }
  }

  /** Server-sent events. */
  private async stream(answering: Answering, response: HttpResponse): Promise<void> {
    const started = monotonicMs();
    let isFirst = true;
    const send = (data: object | string): Promise<void> => {
      if (isFirst) this.metrics.observe("time_to_first_chunk_seconds", (monotonicMs() - started) / 1000);
      isFirst = false;
      return response.write(`data: ${typeof data === "string" ? data : JSON.stringify(data)}\n\n`);
    };
    response.begin(200, { "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache" });
    try {
      await answering.stream(this.metrics, send);
      await send("[DONE]");
    } catch (error) {
      await send(apiErrorOf(error).body);
    }
    response.end();
  }

  private async embed(request: HttpRequest, response: HttpResponse): Promise<void> {
    const { encoder } = this.parts;
    const body = await this.bodyOf(request);
    if (encoder === undefined)
      throw new ApiError(
        404,
        "this server has no model for embeddings: give it one (`--embeddings FOLDER`)",
        {
          code: "model_not_found",
        },
      );
    await this.json(response, await embeddings(body, encoder));
  }

  private models(): object {
    const { model, encoder } = this.parts;
    const names = new Set([model.name, ...(encoder === undefined ? [] : [encoder.name])]);
    return { object: "list", data: [...names].map(modelEntry) };
  }

  /** `/v1/models/NAME` */
  private modelRoute(path: string): Readonly<Record<string, Route>> | undefined {
    const { model, encoder } = this.parts;
    const name = [model.name, encoder?.name].find(
      (own) => own !== undefined && path === `/v1/models/${encodeURIComponent(own)}`,
    );
    return name === undefined ? undefined : { GET: (_, response) => this.json(response, modelEntry(name)) };
  }

  private async showMetrics(response: HttpResponse): Promise<void> {
    const { running, waiting, pages, freePages, ...counts } = this.parts.model.batching.statistics();
    const gauge = (value: number) => ({ type: "gauge", value }) as const;
    const counter = (value: number) => ({ type: "counter", value }) as const;
    response.begin(200, { "content-type": "text/plain; version=0.0.4; charset=utf-8" });
    response.end(
      this.metrics.text({
        requests_running: gauge(running),
        requests_waiting: gauge(waiting),
        cache_pages: gauge(pages),
        cache_pages_free: gauge(freePages),
        steps_total: counter(counts.steps),
        prompt_tokens_read_total: counter(counts.promptTokens),
        prompt_tokens_reused_total: counter(counts.reusedTokens),
        tokens_made_total: counter(counts.madeTokens),
        preemptions_total: counter(counts.preemptions),
      }),
    );
  }

  private async json(response: HttpResponse, body: object, status = 200): Promise<void> {
    response.begin(status, { "content-type": "application/json; charset=utf-8" });
    response.end(JSON.stringify(body));
  }

  private refuse(response: HttpResponse, { status, body }: ApiError): void {
    const headers: Record<string, string> = { "content-type": "application/json; charset=utf-8" };
    if (status === 429 || status === 503) headers["retry-after"] = "1";
    // What is left of a body that was not read, or a client that should look for another server.
    if (status === 413 || status === 415 || status === 503) headers["connection"] = "close";
    response.begin(status, headers);
    response.end(JSON.stringify(body));
  }
}

const modelEntry = (id: string): object => ({ id, object: "model", created: 0, owned_by: "netwright" });
const digest = (text: string): string => sha256().update(new TextEncoder().encode(text)).hex();
