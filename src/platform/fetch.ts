/** Reading from the web, the same in Node and in browsers. */

import { FileError } from "../base/errors.ts";
import { joinBytes } from "../base/join-bytes.ts";

/** The body at a URL; a FileError when it cannot be had, or is larger than `maxBytes` (counted while it arrives). */
export async function fetchBytes(
  url: string,
  { maxBytes }: { maxBytes: number },
): Promise<Uint8Array<ArrayBuffer>> {
  const response = await request(url);
  if (response.body === null) return new Uint8Array(0);
  const pieces: Uint8Array[] = [];
  let total = 0;
  const reader = response.body.getReader();
  for (;;) {
    const { done, value } = await reader.read().catch((cause) => {
      throw new FileError(`cannot read "${url}": the connection broke after ${total} bytes; try again`, {
        cause,
      });
    });
    if (done) return joinBytes(pieces);
    total += value.length;
    if (total > maxBytes) {
      await reader.cancel();
      throw new FileError(`cannot read "${url}": it is larger than the ${maxBytes} bytes allowed`);
    }
    pieces.push(value);
  }
}

/** The body at a URL, a piece at a time. */
export async function fetchChunks(
  url: string,
  { headers }: { readonly headers: Readonly<Record<string, string>> },
): Promise<{ status: number; chunks: AsyncIterable<Uint8Array> }> {
  const response = await request(url, { headers });
  return { status: response.status, chunks: chunksOf(url, response) };
}

async function* chunksOf(url: string, { body }: Response): AsyncGenerator<Uint8Array> {
  if (body === null) return;
  const reader = body.getReader();
  try {
    for (let total = 0; ; ) {
      const { done, value } = await reader.read().catch((cause) => {
        throw new FileError(`cannot read "${url}": the connection broke after ${total} bytes; try again`, {
          cause,
        });
      });
      if (done) return;
      total += value.length;
      yield value;
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

/** Git's name of a file's content. */
export async function gitBlobId(bytes: Uint8Array): Promise<string> {
  const head = new TextEncoder().encode(`blob ${bytes.length}\0`);
  const all = new Uint8Array(head.length + bytes.length);
  all.set(head);
  all.set(bytes, head.length);
  const digest = new Uint8Array(await globalThis.crypto.subtle.digest("SHA-1", all));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** A response with a success status. */
export async function request(url: string, init?: RequestInit): Promise<Response> {
  const response = await fetch(url, init).catch((cause) => {
    const reason = "no answer; check the address and the network";
    throw new FileError(`cannot read "${url}": ${reason}`, { cause });
  });
  if (response.ok) return response;
  await response.body?.cancel();
  throw new FileError(
    `cannot read "${url}": the server answered ${response.status} ${response.statusText}`.trim(),
    { cause: { status: response.status } },
  );
}
