/** A limit to how much goes on at the same time. */

/** Runs asynchronous functions, no more than `count` of them at a time; who comes later waits, in the order of asking. */
export function atMost(count: number): <R>(run: () => Promise<R>) => Promise<R> {
  let running = 0;
  const waiting: (() => void)[] = [];
  return async (run) => {
    if (running < count) running++;
    // Who ends hands its place on.
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await run();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else running--;
    }
  };
}
