import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { readFixture } from "../../../test/fixtures.ts";
import type { Distribution } from "../layout.ts";
import { crc32c, maskedCrc32c } from "./crc32c.ts";
import { EventFile } from "./event-file.ts";
import { varint } from "./protobuf.ts";

const folder = mkdtempSync(join(tmpdir(), "netwright-events-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Fixture {
  readonly milliseconds: number;
  readonly scalars: readonly { readonly step: number; readonly values: Record<string, number | string> }[];
  readonly histogram: Distribution;
  readonly file: string;
}

test("the bytes are those of TensorFlow's writer", async () => {
  const { milliseconds, scalars, histogram, file } = readFixture<Fixture>("tensorboard.json");
  const events = await EventFile.open(folder, () => milliseconds);
  for (const { step, values } of scalars)
    events.scalars(
      step,
      Object.fromEntries(Object.entries(values).map(([tag, value]) => [tag, Number(value)])),
    );
  events.histogram(300, "weights/0", histogram);
  await events.flush();
  const [name] = readdirSync(join(folder, "events")) as [string];
  expect(name).toBe("events.out.tfevents.1764000000.netwright");
  expect(readFileSync(join(folder, "events", name)).toString("base64")).toBe(file);
});

test("checksums of RFC 3720, and integers of more than 32 bits", () => {
  expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
  expect(crc32c(new Uint8Array(32).fill(255))).toBe(0x62a8ab43);
  expect(maskedCrc32c(new Uint8Array(0))).toBe(0xa282ead8);
  expect([...varint(300)]).toEqual([0xac, 0x02]);
  expect([...varint(2 ** 40)]).toEqual([128, 128, 128, 128, 128, 32]);
});
