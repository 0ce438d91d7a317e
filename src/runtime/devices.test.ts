import { expect, it } from "vitest";
import { PlatformError } from "../base/errors.ts";
import { chooseTarget } from "./devices.ts";
import { InterpreterDevice } from "./interpreter-device.ts";

const device = new InterpreterDevice();

it("cpu is machine code where it runs", () => {
  const asked: string[] = [];
  const chosen = chooseTarget("cpu", (target) => {
    asked.push(target);
    return device;
  });
  expect(chosen).toEqual({ device, requested: "cpu", fallback: undefined });
  expect(asked).toEqual(["x64"]);
});

it("cpu is WebAssembly elsewhere, and the reason is kept", () => {
  const chosen = chooseTarget("cpu", (target) => {
    if (target === "x64") throw new PlatformError("no machine code today");
    return device;
  });
  expect(chosen).toEqual({ device, requested: "cpu", fallback: "no machine code today" });
});

it("a target that was asked for by name does not fall back", () => {
  const refuse = (): never => {
    throw new PlatformError("no machine code today");
  };
  expect(() => chooseTarget("x64", refuse)).toThrowError("no machine code today");
});

it("a mistake of our own is no reason to fall back", () => {
  const stumble = (): never => {
    throw new TypeError("undefined is not a function");
  };
  expect(() => chooseTarget("cpu", stumble)).toThrowError(TypeError);
});
