/** Reads each CSV file whose path comes in, and answers how long it took. */
import { createInterface } from "node:readline";
import { readCsv } from "netwright/tabular";

for await (const path of createInterface({ input: process.stdin })) {
  const [start, cpu] = [performance.now(), process.cpuUsage()];
  const rows = (await readCsv(path)).length;
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  console.log(JSON.stringify({ rows, seconds, cpuSeconds: (user + system) / 1e6 }));
}
