/** Image files: PNG, JPEG, WebP, AVIF, TIFF, GIF, through the package "sharp". */
import { jpegPixels, platformName, readFile, writeFileAtomic } from "#platform";
import { atMost } from "../base/at-most.ts";
import { ArgumentError, FormatError, PlatformError } from "../base/errors.ts";
import { optionalPackage } from "../base/optional.ts";
import { checkOptions } from "../base/options.ts";
import { grayscale } from "./color.ts";
import { asImage, type ByteImage, checkNumber, emptyBytes, type Image, type Region } from "./image.ts";
import { type JpegHeader, plainJpegHeader } from "./jpeg-header.ts";
import { giveBytes, takeBytes } from "./scratch.ts";

export type ImageFormat = "png" | "jpeg" | "webp" | "avif" | "tiff" | "gif";

const formats: readonly ImageFormat[] = ["png", "jpeg", "webp", "avif", "tiff", "gif"];

export interface DecodeOptions {
  /** What comes out, whatever the file has: gray (1), colours (3, default), colours and alpha (4). Alpha that is not asked for is ignored. */
  readonly channels?: 1 | 3 | 4;
  /** An image of more pixels is refused before it takes memory: a small file can claim any size. Default 100 million. */
  readonly maxPixels?: number;
}

export interface EncodeOptions {
  readonly format: ImageFormat;
  /** From 1 to 100, for formats that lose something; sharp's default for the format (JPEG and WebP 80, AVIF 50). */
  readonly quality?: number;
}

/** The package, when it is needed. */
export async function loadSharp(purpose: string): Promise<typeof import("sharp")["default"]> {
  const where: string = platformName;
  if (where === "browser")
    throw new PlatformError(
      `${purpose} needs the package "sharp", which a web page does not have; draw the image on a canvas and take ` +
        'its pixels: { dtype: "u8", shape: [height, width, 4], data: new Uint8Array(context.getImageData(…).data) }',
    );
  return (await optionalPackage("sharp", purpose, () => import("sharp"))).default;
}

/** How files of a format begin. Others never reach the decoder: SVG and PDF can ask for files of their own. */
function formatOf(bytes: Uint8Array): ImageFormat | undefined {
  const text = String.fromCharCode(...bytes.subarray(0, 32));
  if (text.startsWith("\x89PNG\r\n\x1a\n")) return "png";
  if (text.startsWith("\xff\xd8\xff")) return "jpeg";
  if (text.startsWith("GIF87a") || text.startsWith("GIF89a")) return "gif";
  if (text.startsWith("RIFF") && text.slice(8, 12) === "WEBP") return "webp";
  if (["II*\0", "MM\0*", "II+\0", "MM\0+"].some((start) => text.startsWith(start))) return "tiff";
  if (text.slice(4, 8) === "ftyp" && /avif|avis|mif1|msf1|miaf/.test(text.slice(8))) return "avif";
  return undefined;
}

/**
 * The image in the bytes of a file, upright (a camera's EXIF orientation is applied), in sRGB; the first one of an animation.
 *
 * @param name for errors
 * @throws FormatError for bytes that are no image, cut short or damaged, or of too many pixels; PlatformError without the package
 * @example (await decodeImage(await encodeImage(photo, { format: "png" }))).shape // [4, 4, 3]
 */
export const decodeImage = async (
  bytes: Uint8Array,
  options: DecodeOptions = {},
  name = "the given bytes",
): Promise<ByteImage> => (await decodePart(bytes, undefined, options, name)).image;

/** A part of an image, and who knows what else. */
interface Part {
  readonly region: Region;
}

/**
 * As `decodeImage`, but of a JPEG no more than the part that is wanted of an image of its size: what lies below is not decoded. Of other
 * files all, without a `part`. With `partOf`, the image may lie in `scratch`, which whoever asked gives back.
 */
export async function decodePart<P extends Part>(
  bytes: Uint8Array,
  partOf: ((height: number, width: number) => P | undefined) | undefined,
  options: DecodeOptions,
  name: string,
): Promise<{ readonly image: ByteImage; readonly part?: P; readonly scratch?: Uint8Array<ArrayBuffer> }> {
  checkOptions("decodeImage", options, ["channels", "maxPixels"]);
  const { channels = 3, maxPixels = 100_000_000 } = options;
  if (![1, 3, 4].includes(channels))
    throw new ArgumentError(`decodeImage: channels must be 1, 3 or 4, got ${channels}`);
  checkNumber("decodeImage: maxPixels", maxPixels, 1);
  const format = formatOf(bytes);
  if (format === undefined)
    throw new FormatError(
      `${name}: no image that is known here; PNG, JPEG, WebP, AVIF, TIFF and GIF are read`,
    );
  const header = format === "jpeg" ? plainJpegHeader(bytes) : undefined;
  // Files have all sizes: a buffer of about the size does, unless it is for good.
  const data = header && (await fastJpeg(bytes, header, { channels, maxPixels, room: partOf ? 2 : 1 }));
  if (data) {
    const image: ByteImage = {
      dtype: "u8",
      shape: [header.height, header.width, channels === 4 ? 4 : 3],
      data,
    };
    return { image: withChannels(image, channels), ...(partOf && { scratch: data }) };
  }
  const sharp = await loadSharp("reading images");
  const part = header && partOf?.(header.height, header.width);
  try {
    const file = sharp(bytes, { limitInputPixels: maxPixels, failOn: "error", sequentialRead: true });
    const upright = (part ? file.extract(part.region) : file.rotate()).toColourspace("srgb");
    const { data: raw, info } = await (channels === 4 ? upright.ensureAlpha() : upright.removeAlpha())
      .raw({ depth: "uchar" })
      .toBuffer({ resolveWithObject: true });
    const { width, height } = info;
    const pixels = new Uint8Array(raw.buffer as ArrayBuffer, raw.byteOffset, raw.byteLength);
    const found: ByteImage = { dtype: "u8", shape: [height, width, info.channels], data: pixels };
    return { image: withChannels(found, channels), ...(part && { part }) };
  } catch (cause) {
    throw new FormatError(
      `${name}: a ${format.toUpperCase()} that cannot be read: ${reason(cause, maxPixels)}`,
      { cause },
    );
  }
}

/** The same pixels from libjpeg-turbo itself, where the system has it: sharp's way to them takes three times as long. */
async function fastJpeg(
  bytes: Uint8Array,
  { height, width, components, hasProfile }: JpegHeader,
  { channels, maxPixels, room }: Required<DecodeOptions> & { readonly room: number },
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  if (components === 4 || hasProfile || height * width > maxPixels) return undefined;
  const size = { height, width, channels: channels === 4 ? 4 : 3 } as const;
  const data = takeBytes(height * width * size.channels, room);
  if (await jpegPixels(bytes, size, data)) return data;
  giveBytes(data);
  return undefined;
}

const withChannels = (image: ByteImage, channels: 1 | 3 | 4): ByteImage =>
  channels === 1 ? (grayscale({ channels: 1 })(image) as ByteImage) : image;

function reason(cause: unknown, maxPixels: number): string {
  const { message = String(cause) } = cause as { message?: string };
  const [first] = message.split("\n").filter((line) => line !== "");
  if (/pixel limit/i.test(message))
    return `it has more than ${maxPixels} pixels; raise maxPixels if it is trusted`;
  return `${first?.replace(/^Input (file|buffer) /, "it ")}; the file is damaged or cut short`;
}

/**
 * The bytes of an image file. An image in f32 is taken as 0 … 1.
 *
 * @throws ArgumentError for formats and qualities that there are not; PlatformError without the package
 * @example (await encodeImage(photo, { format: "jpeg", quality: 90 })).subarray(0, 2) // [255, 216]
 */
export async function encodeImage(image: Image, options: EncodeOptions): Promise<Uint8Array> {
  checkOptions("encodeImage", options, ["format", "quality"]);
  const { format, quality } = options;
  if (!formats.includes(format))
    throw new ArgumentError(`encodeImage: format must be one of ${formats.join(", ")}, got ${format}`);
  if (quality !== undefined) checkNumber("encodeImage: quality", quality, 1, 100);
  const { shape, data } = rounded(asImage("encodeImage", image));
  const [height, width, channels] = shape;
  const sharp = await loadSharp("writing images");
  const raw = { width, height, channels: channels as 1 | 2 | 3 | 4 };
  const lossy = { ...(quality !== undefined && { quality }) };
  const encoder = sharp(data, { raw, limitInputPixels: false });
  return new Uint8Array(await encoder.toFormat(format, format === "png" ? {} : lossy).toBuffer());
}

/** Bytes of numbers in 0 … 1. */
export function rounded(image: Image): ByteImage {
  if (image.dtype === "u8") return image as ByteImage;
  const [height, width, channels] = image.shape;
  const out = emptyBytes(height, width, channels);
  const clamped = new Uint8ClampedArray(out.data.buffer);
  for (let i = 0; i < clamped.length; i++) clamped[i] = image.data[i]! * 255;
  return out;
}

/** Files on their way: more would not be faster, and each takes memory for its pixels, which the next one of its size uses again. */
const reading = atMost(16);

/**
 * The image in a file.
 *
 * @throws FileError, and as `decodeImage`
 * @example
 * await writeImage("photo.png", photo);
 * (await readImage("photo.png")).shape; // [4, 4, 3]
 */
export const readImage = async (path: string, options?: DecodeOptions): Promise<ByteImage> =>
  reading(async () => decodeImage(await readFile(path), options, `"${path}"`));

/** A part of the image in a file, as `decodePart`. */
export const readPart = async <P extends Part>(
  path: string,
  partOf: (height: number, width: number) => P | undefined,
  options: DecodeOptions,
): ReturnType<typeof decodePart<P>> =>
  reading(async () => decodePart(await readFile(path), partOf, options, `"${path}"`));

/**
 * Writes an image file, whole or not at all, in the format of the path's ending.
 *
 * @throws as `encodeImage`, and FileError
 * @example await writeImage("picture.jpg", photo, { quality: 90 });
 */
export async function writeImage(
  path: string,
  image: Image,
  options: { readonly format?: ImageFormat; readonly quality?: number } = {},
): Promise<void> {
  const format = options.format ?? formatOfPath(path);
  await writeFileAtomic(path, [await encodeImage(image, { ...options, format })]);
}

function formatOfPath(path: string): ImageFormat {
  const ending = /\.(\w+)$/.exec(path)?.[1]?.toLowerCase() ?? "";
  const format = { jpg: "jpeg", tif: "tiff" }[ending] ?? ending;
  if ((formats as readonly string[]).includes(format)) return format as ImageFormat;
  throw new ArgumentError(
    `writeImage: "${path}" does not end in a format (${formats.join(", ")}); change it, or give { format }`,
  );
}
