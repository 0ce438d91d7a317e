import { expect, test } from "vitest";
import { byTier, fullTest, isFullTier } from "./tier.ts";

test("byTier follows the tier of this run", () => {
  expect(byTier("quick", "full")).toBe(process.env.NETWRIGHT_TEST_TIER === "full" ? "full" : "quick");
});

fullTest("a full-tier test runs in the full tier only", () => {
  expect(isFullTier).toBe(true);
});
