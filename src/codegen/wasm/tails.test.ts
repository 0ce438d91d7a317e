import { expect, it } from "vitest";
import { zeroAffine } from "../../ir/affine.ts";
import { KernelBuilder } from "../../ir/builder.ts";
import type { KernelBuffer, Register } from "../../ir/kernel.ts";
import { registersWithFreeTails } from "./tails.ts";

it("a register's tail is free when one extent within its lanes is all that touches it, and nothing combines it", () => {
  const y: KernelBuffer = { name: "y", dtype: "f32", elements: 64, access: "write", scope: "program" };
  const isFree = (use: (b: KernelBuilder, register: Register) => void): boolean => {
    const register: Register = { name: "r", dtype: "f32", count: 1, lanes: 12 };
    const b = new KernelBuilder();
    b.set(register, b.constant("f32", 0));
    use(b, register);
    return registersWithFreeTails(b.statements).has(register);
  };
  const setOver = (b: KernelBuilder, r: Register, extent: number): void =>
    b.vector("j", extent, () => b.set(r, b.constant("f32", 1)));
  const storeOver = (b: KernelBuilder, r: Register, extent: number): void =>
    b.vector("j", extent, (j) => b.store(y, j, b.read(r)));
  expect(isFree((b, r) => (setOver(b, r, 10), storeOver(b, r, 10)))).toBe(true);
  expect(isFree((b, r) => (setOver(b, r, 10), storeOver(b, r, 12)))).toBe(false);
  expect(isFree((b, r) => (setOver(b, r, 30), storeOver(b, r, 30)))).toBe(false);
  expect(isFree((b, r) => (setOver(b, r, 10), b.store(y, zeroAffine, b.combine(r, "add"))))).toBe(false);
});
