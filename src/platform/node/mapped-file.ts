/**
 * Files in memory, read-only, on Linux through the C library. A mapping goes with the last object that holds it: nothing
 * unmaps what a program may still read.
 */
import { closeSync, constants, fstatSync, openSync } from "node:fs";
import { FileError } from "../../base/errors.ts";
import { type MappedFile, slackBytes } from "../../base/mapped-array.ts";
import { fileError } from "../file-errors.ts";
import type { NativeHost } from "../platform.ts";
import { shown } from "./files.ts";
import { nativeHost } from "./native.ts";

const pageBytes = 4096;
const readable = 1;
const flags = { private: 2, fixed: 0x10, anonymous: 0x20, noReserve: 0x4000 } as const;
/** More in one view would end the process. */
const viewBytes = 2 ** 30;

type LibraryFunction = ReturnType<NativeHost["libraryFunction"]>;

interface Library {
  readonly host: NativeHost;
  readonly mmap: LibraryFunction;
  readonly munmap: LibraryFunction;
}

interface Mapping {
  readonly address: number;
  readonly bytes: number;
}

let library: Library | undefined;
const unused = new FinalizationRegistry<Mapping>(({ address, bytes }) => library!.munmap(address, bytes));

export function mapFile(path: string): MappedFile | { readonly reason: string } {
  const host = nativeHost();
  if ("reason" in host) return host;
  library ??= {
    host,
    mmap: host.libraryFunction(
      "intptr_t mmap(uintptr_t address, size_t bytes, int access, int flags, int file, int64_t offset)",
    ),
    munmap: host.libraryFunction("int munmap(uintptr_t address, size_t bytes)"),
  };
  let file: number | undefined;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const facts = fstatSync(file);
    if (facts.isDirectory()) throw Object.assign(new Error(), { code: "EISDIR" });
    if (!facts.isFile()) throw new FileError(`cannot read ${shown(path)}: it is not a regular file`);
    return map(library, path, file, facts.size);
  } catch (cause) {
    throw fileError("read", shown(path), cause);
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

function map(
  { host, mmap, munmap }: Library,
  path: string,
  file: number,
  sizeBytes: number,
): MappedFile | { readonly reason: string } {
  // The pages behind the file are zeros: what is read past its end is read from there.
  const bytes = Math.ceil((sizeBytes + slackBytes) / pageBytes) * pageBytes;
  const { private: ours, fixed, anonymous, noReserve } = flags;
  const address = mmap(0, bytes, readable, ours | anonymous | noReserve, -1, 0);
  if (address === -1) return { reason: `the system maps no ${bytes} bytes (error ${host.errorNumber()})` };
  if (sizeBytes > 0 && mmap(address, sizeBytes, readable, ours | fixed, file, 0) === -1) {
    const reason = `the system does not map ${shown(path)} (error ${host.errorNumber()})`;
    munmap(address, bytes);
    return { reason };
  }
  const mapped: MappedFile = {
    path,
    sizeBytes,
    address,
    copyTo(into, position) {
      if (position < 0 || position + into.length > sizeBytes)
        throw new FileError(
          `cannot read ${shown(path)}: ${into.length} bytes at ${position} end after its ${sizeBytes}`,
        );
      for (let done = 0; done < into.length; done += viewBytes) {
        const length = Math.min(viewBytes, into.length - done);
        into.set(new Uint8Array(host.view(mapped.address + position + done, length)), done);
      }
    },
  };
  unused.register(mapped, { address, bytes });
  return mapped;
}
