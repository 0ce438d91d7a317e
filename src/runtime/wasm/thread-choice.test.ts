import { expect, it } from "vitest";
import { ThreadChoice } from "./thread-choice.ts";

/** Runs `count` times, where all threads take `all` and one takes `one` milliseconds; returns the total. */
function simulate(choice: ThreadChoice, count: number, { all, one }: { all: number; one: number }): number {
  let total = 0;
  for (let i = 0; i < count; i++) {
    const time = choice.takesAll ? all : one;
    choice.record(time);
    total += time;
  }
  return total;
}

it("keeps threads that help", () => {
  const choice = new ThreadChoice();
  expect(simulate(choice, 1000, { all: 1, one: 3 })).toBeLessThan(1100);
  expect(choice.takesAll).toBe(true);
});

it("leaves threads that hurt, and comes back to them when they help", () => {
  const choice = new ThreadChoice();
  expect(simulate(choice, 2000, { all: 5, one: 1 })).toBeLessThan(2300);
  simulate(choice, 1500, { all: 1, one: 2 });
  expect(simulate(choice, 1000, { all: 1, one: 2 })).toBeLessThan(1050);
});

it("does not change its mind for a little", () => {
  const choice = new ThreadChoice();
  simulate(choice, 3000, { all: 1, one: 0.97 });
  let all = 0;
  for (let i = 0; i < 500; i++) {
    if (choice.takesAll) all++;
    choice.record(1);
  }
  expect(all).toBeGreaterThan(450);
});
