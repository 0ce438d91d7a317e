/** libjpeg-turbo where the system has it, through the optional package `koffi`. Its interface is that of TurboJPEG 1.2 and later. */
import { atMost } from "../../base/at-most.ts";
import type { JpegSize } from "../platform.ts";
import { koffiPackage } from "./native.ts";

type Library = ReturnType<Extract<ReturnType<typeof koffiPackage>, { load: unknown }>["load"]>;
type Call = ReturnType<Library["func"]>;

interface TurboJpeg {
  readonly begin: Call;
  readonly decode: Call;
  readonly end: Call;
}

const formats = { 3: 0, 4: 7 } as const;
/** What is damaged, or a bomb of many scans, is refused. The slow, exact transform and interpolated colours are what it does unless told otherwise. */
const [stopOnWarning, limitScans] = [8192, 32768];

let answer: TurboJpeg | "none" | undefined;

function opened(): TurboJpeg | "none" {
  const koffi = koffiPackage();
  if (process.platform !== "linux" || "reason" in koffi) return "none";
  try {
    const library = koffi.load("libturbojpeg.so.0");
    return {
      begin: library.func("void *tjInitDecompress()"),
      decode: library.func(
        "int tjDecompress2(void *decoder, const uint8_t *from, unsigned long bytes, uint8_t *to, int width, int pitch, int height, int format, int flags)",
      ),
      end: library.func("int tjDestroy(void *decoder)"),
    };
  } catch {
    return "none";
  }
}

/** koffi refuses more than 256 calls on threads. */
const decoding = atMost(64);

/** Fills in the pixels of a JPEG of this size, on another thread; false where the library is not there or does not like the file. */
export const jpegPixels = (bytes: Uint8Array, size: JpegSize, into: Uint8Array): Promise<boolean> =>
  decoding(() => decoded(bytes, size, into));

async function decoded(
  bytes: Uint8Array,
  { height, width, channels }: JpegSize,
  into: Uint8Array,
): Promise<boolean> {
  answer ??= opened();
  if (answer === "none") return false;
  const { begin, decode, end } = answer;
  const decoder: unknown = begin();
  if (decoder === null || into.length !== height * width * channels) return false;
  try {
    const flags = stopOnWarning | limitScans;
    const status = await new Promise<number>((resolve) => {
      const onEnd = (error: unknown, result: number): void => resolve(error ? -1 : result);
      decode.async(decoder, bytes, bytes.length, into, width, 0, height, formats[channels], flags, onEnd);
    });
    // Named here so that neither is collected while the thread works.
    return status === 0 && bytes.length > 0 && into.length > 0;
  } finally {
    end(decoder);
  }
}
