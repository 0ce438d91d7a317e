/**
 * Two tiers of tests: the quick one (`npm test`, minutes) and the full one (`npm run test:full`, under an hour: exhaustive sweeps,
 * long fuzzing, soaks). Tests ask here; nothing else reads the environment variable.
 */
import { type TestContext, test } from "vitest";

export const isFullTier: boolean = process.env.NETWRIGHT_TEST_TIER === "full";

/** `quick` in the quick tier, `full` in the full one: how many cases, steps or sizes a test takes. */
export const byTier = <Value>(quick: Value, full: Value): Value => (isFullTier ? full : quick);

/** A test of the full tier alone; the quick tier lists it as skipped, with this reason. */
export function fullTest(
  name: string,
  body: (context: TestContext) => void | Promise<void>,
  timeoutMs = 600_000,
): void {
  test(name, { timeout: timeoutMs }, async (context) => {
    context.skip(!isFullTier, "it belongs to the full tier (npm run test:full)");
    await body(context);
  });
}
