/** What a JPEG file says of itself before its pixels. (ITU-T T.81, annex B; Exif 2.32, 4.6.) */

export interface JpegHeader {
  readonly height: number;
  readonly width: number;
  /** Gray (1), colours (3), or inks (4). */
  readonly components: number;
  /** Whether its colours are not simply sRGB. */
  readonly hasProfile: boolean;
}

const [startOfScan, endOfImage, app1, app2] = [0xda, 0xd9, 0xe1, 0xe2];

/** Frames that decoders read: baseline, extended and progressive, with Huffman codes. */
const frames = [0xc0, 0xc1, 0xc2];

/**
 * The size of a JPEG that is as it stands there: upright, and with its end. Undefined for all others, damaged ones too: what is to become of
 * them is known once they are decoded.
 */
export function plainJpegHeader(bytes: Uint8Array): JpegHeader | undefined {
  if (!endsWithMarker(bytes)) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let size: Omit<JpegHeader, "hasProfile"> | undefined;
  let hasProfile = false;
  for (let at = 2; at + 4 <= bytes.length; ) {
    if (bytes[at] !== 0xff) return undefined;
    const marker = bytes[at + 1]!;
    if (marker === startOfScan) return size && { ...size, hasProfile };
    const length = view.getUint16(at + 2);
    const end = at + 2 + length;
    if (length < 2 || end > bytes.length) return undefined;
    if (frames.includes(marker)) {
      if (length < 8 || size !== undefined) return undefined;
      size = { height: view.getUint16(at + 5), width: view.getUint16(at + 7), components: bytes[at + 9]! };
      if (size.height === 0 || size.width === 0) return undefined;
    } else if (marker === app2) hasProfile ||= nameOf(bytes, at + 4) === "ICC_PROFILE";
    else if (marker === app1 && !isUpright(bytes.subarray(at + 4, end))) return undefined;
    at = end;
  }
  return undefined;
}

/** The name that an application's segment begins with. */
function nameOf(bytes: Uint8Array, at: number): string {
  const text = String.fromCharCode(...bytes.subarray(at, at + 16));
  return text.slice(0, Math.max(0, text.indexOf("\0")));
}

/** Whether nothing was cut off. Some programs leave zeros behind the end. */
function endsWithMarker(bytes: Uint8Array): boolean {
  let end = bytes.length;
  while (end > 0 && end > bytes.length - 64 && bytes[end - 1] === 0) end--;
  return end >= 2 && bytes[end - 2] === 0xff && bytes[end - 1] === endOfImage;
}

/** Whether the orientation in a segment of Exif is 1, or is not told. */
function isUpright(segment: Uint8Array): boolean {
  if (nameOf(segment, 0) !== "Exif") return true;
  if (segment.byteLength < 14) return false;
  const tiff = new DataView(segment.buffer, segment.byteOffset + 6, segment.byteLength - 6);
  const isLittle = tiff.getUint16(0) === 0x4949;
  const start = tiff.getUint32(4, isLittle);
  if (start + 2 > tiff.byteLength) return false;
  const count = tiff.getUint16(start, isLittle);
  if (start + 2 + 12 * count > tiff.byteLength) return false;
  for (let i = 0; i < count; i++) {
    const entry = start + 2 + 12 * i;
    if (tiff.getUint16(entry, isLittle) === 0x0112 && tiff.getUint16(entry + 8, isLittle) !== 1) return false;
  }
  return true;
}
