import { describe, expect, it } from "vitest";
import { constantAffine, zeroAffine } from "./affine.ts";
import { KernelBuilder } from "./builder.ts";
import { isExactProduct } from "./exact-products.ts";
import type { KernelBuffer, Value } from "./kernel.ts";
import { x64Target } from "./target.ts";

const buffer = (dtype: KernelBuffer["dtype"]): KernelBuffer => ({
  name: dtype,
  dtype,
  elements: 2,
  access: "read",
  scope: "program",
});

describe("isExactProduct", () => {
  const b = new KernelBuilder(x64Target);
  const load = (dtype: KernelBuffer["dtype"], at = 0): Value => b.load(buffer(dtype), constantAffine(at));
  const number = (x: Value): Value => b.convert("f32", x);
  const masked = (mask: number): Value => number(b.binary("and", load("u8"), b.constant("i32", mask)));
  const times = (x: Value, y: Value): Value => b.binary("mul", x, y);

  it("knows products of few bits", () => {
    const scale = load("f16");
    expect(isExactProduct(times(masked(15), scale))).toBe(true);
    expect(isExactProduct(times(masked(240), times(scale, b.constant("f32", 1 / 16))))).toBe(true);
    expect(isExactProduct(times(number(load("i8")), scale))).toBe(true);
    // 11 bits twice.
    expect(isExactProduct(times(scale, load("f16", 1)))).toBe(true);
  });

  it("leaves out what may be rounded, or leave the range of f32", () => {
    const scale = load("f16");
    expect(isExactProduct(times(times(scale, load("f16", 1)), masked(15)))).toBe(false);
    expect(isExactProduct(times(load("f32"), scale))).toBe(false);
    expect(isExactProduct(times(load("bf16"), scale))).toBe(false);
    expect(isExactProduct(times(scale, b.constant("f32", 0.3)))).toBe(false);
    expect(isExactProduct(times(scale, b.constant("f32", 2 ** -100)))).toBe(false);
    expect(isExactProduct(times(number(b.index(zeroAffine)), scale))).toBe(false);
  });

  it("fuses an exact product with a sum", () => {
    const [scale, least] = [load("f16"), load("f32")];
    const sum = b.binary("add", times(masked(15), scale), least);
    expect(sum.kind).toBe("mulAdd");
    expect(b.binary("add", times(least, scale), least).kind).toBe("binary");
  });
});
