/** Which registers need no mask where a vector loop ends within a group of lanes. */
import { maxOf, sizeKey } from "../../base/size.ts";
import type { Loop, Register, Statement } from "../../ir/kernel.ts";

/**
 * Registers of which nothing reads the lanes behind a loop's last: never combined, and touched by vector loops of one and
 * the same extent only. What such a loop leaves in those lanes does not matter.
 */
export function registersWithFreeTails(body: readonly Statement[]): ReadonlySet<Register> {
  const extents = new Map<Register, Set<string>>();
  const note = (register: Register, extent: string): void => {
    extents.set(register, (extents.get(register) ?? new Set()).add(extent));
  };
  const visit = (statements: readonly Statement[], vector: Loop | undefined): void => {
    for (const s of statements) {
      if (s.kind === "loop") {
        const inner = s.mode === "vector" ? s : vector;
        visit(s.body, inner);
        visit(s.remainder, inner);
      } else if (s.kind === "define" && s.value.kind === "combine") note(s.value.register, "combined");
      else if (vector && (s.kind === "set" || (s.kind === "define" && s.value.kind === "register"))) {
        const register = s.kind === "set" ? s.register : (s.value as { register: Register }).register;
        note(register, maxOf(vector.extent) <= register.lanes ? sizeKey(vector.extent) : "wraps");
      }
    }
  };
  visit(body, undefined);
  const isFree = (found: ReadonlySet<string>): boolean =>
    found.size === 1 && !found.has("combined") && !found.has("wraps");
  return new Set([...extents].filter(([, found]) => isFree(found)).map(([register]) => register));
}
