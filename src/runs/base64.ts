/** Bytes as text. */

const pieceBytes = 0x8000;

export function toBase64(bytes: Uint8Array): string {
  let text = "";
  // An argument a byte: a stack has limits.
  for (let at = 0; at < bytes.length; at += pieceBytes)
    text += String.fromCharCode(...bytes.subarray(at, at + pieceBytes));
  return btoa(text);
}

export const fromBase64 = (text: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
