/** A server of HTTP, by Node's own. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { PlatformError } from "../../base/errors.ts";
import type { HttpHandler, HttpRequest, HttpResponse, HttpServer, HttpServerOptions } from "../platform.ts";

export async function serveHttp(
  { host, port, requestTimeoutMs = 30_000, maxConnections = 1024 }: HttpServerOptions,
  handler: HttpHandler,
): Promise<HttpServer> {
  const server = createServer({ requestTimeout: requestTimeoutMs, headersTimeout: requestTimeoutMs });
  server.maxConnections = maxConnections;
  // Longer than clients keep theirs, so that none sends into a connection that is being closed.
  server.keepAliveTimeout = 75_000;
  const open = new Set<Promise<void>>();
  server.on("request", (incoming: IncomingMessage, outgoing: ServerResponse) => {
    const { request, response } = exchangeOf(incoming, outgoing);
    const isOut = new Promise<void>((resolve) => outgoing.on("close", resolve));
    const done = handler(request, response)
      .catch(() => {
        outgoing.destroy();
      })
      .then(() => isOut)
      .finally(() => open.delete(done));
    open.add(done);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) =>
      reject(new PlatformError(`cannot listen on ${host}:${port}: ${reasonOf(cause)}`, { cause })),
    );
    server.listen(port, host, resolve);
  });
  return {
    port: (server.address() as { port: number }).port,
    close: () => closed(server, open),
    closeNow: () => server.closeAllConnections(),
  };
}

/** No new connections; idle ones are closed, all others when every answer is out: a client may keep its connection for minutes. */
async function closed(server: Server, open: ReadonlySet<Promise<void>>): Promise<void> {
  const gone = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  while (open.size > 0) await Promise.all(open);
  server.closeAllConnections();
  await gone;
}

function exchangeOf(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): { request: HttpRequest; response: HttpResponse } {
  const left = new AbortController();
  // An error of a connection that broke; "close" follows.
  for (const stream of [incoming, outgoing]) stream.on("error", () => {});
  outgoing.on("close", () => {
    if (!outgoing.writableFinished) left.abort(new PlatformError("the client went away"));
  });
  return {
    request: {
      method: incoming.method ?? "GET",
      path: incoming.url ?? "/",
      headers: incoming.headers as Readonly<Record<string, string | undefined>>,
      left: left.signal,
      body: (maxBytes) => bodyOf(incoming, maxBytes),
    },
    response: {
      begin: (status, headers) => {
        outgoing.writeHead(status, headers);
      },
      write: (text) => written(outgoing, text),
      end: (text) => {
        outgoing.end(text);
      },
      abort: () => {
        outgoing.destroy();
      },
    },
  };
}

/** What a client sends; undefined when it is more than allowed, of which no more than that is held. */
async function bodyOf(incoming: IncomingMessage, maxBytes: number): Promise<Uint8Array | undefined> {
  if (Number(incoming.headers["content-length"] ?? 0) > maxBytes) return undefined;
  const pieces: Uint8Array[] = [];
  let total = 0;
  for await (const piece of incoming.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>) {
    total += piece.length;
    if (total > maxBytes) return undefined;
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

/** Waits while a client reads more slowly than is written. */
function written(outgoing: ServerResponse, text: string): Promise<void> {
  if (outgoing.destroyed || outgoing.write(text)) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      outgoing.off("drain", done).off("close", done);
      resolve();
    };
    outgoing.on("drain", done).on("close", done);
  });
}

const reasons: Readonly<Record<string, string>> = {
  EADDRINUSE: "another program listens there; choose another port",
  EACCES: "this user may not; choose a port above 1023",
  EADDRNOTAVAIL: "this machine has no such address",
  ENOTFOUND: "this machine has no such address",
};
const reasonOf = ({ code, message }: NodeJS.ErrnoException): string => reasons[code ?? ""] ?? message;
