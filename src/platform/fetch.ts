/** Reading from the web, the same in Node and in browsers. */
import { FileError } from "../base/errors.ts";

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
    if (done) return join(pieces, total);
    total += value.length;
    if (total > maxBytes) {
      await reader.cancel();
      throw new FileError(`cannot read "${url}": it is larger than the ${maxBytes} bytes allowed`);
    }
    pieces.push(value);
  }
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
  );
}

function join(pieces: readonly Uint8Array[], total: number): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(total);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
