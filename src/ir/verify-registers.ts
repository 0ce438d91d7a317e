/**
 * Registers hold a value before they are read: part of the kernel verifier. Unrolled loops are walked with each value of
 * their index, so elements are told apart; other loops once, and what they set counts after them only if they surely run.
 */
import { boundsOf, type Size, sameSize } from "../base/size.ts";
import type { Affine, Index, Loop, Register, Statement, Value } from "./kernel.ts";

export interface RegisterFault {
  readonly statement: Statement;
  readonly reason: string;
}

/** Of each element, how many of its lanes (from the first) hold a value. */
type Coverage = Map<Register, readonly Size[]>;

/** The first read of a register element or lane that nothing has set, or undefined. */
export function registerFault(body: readonly Statement[]): RegisterFault | undefined {
  return new RegisterFlow().block(body);
}

class RegisterFlow {
  private coverage: Coverage = new Map();
  private readonly unrolled = new Map<Index, number>();
  private vectorExtent: Size | undefined;

  block(statements: readonly Statement[]): RegisterFault | undefined {
    for (const statement of statements) {
      const fault = this.visit(statement);
      if (fault !== undefined) return fault;
    }
    return undefined;
  }

  private visit(statement: Statement): RegisterFault | undefined {
    switch (statement.kind) {
      case "loop":
        return this.loop(statement);
      case "set":
        this.set(statement.register, this.elementOf(statement.subscript));
        return undefined;
      case "define": {
        const reason = this.read(statement.value);
        return reason === undefined ? undefined : { statement, reason };
      }
      default:
        return undefined;
    }
  }

  private loop(loop: Loop): RegisterFault | undefined {
    const { mode, extent, step, body, remainder } = loop;
    if (mode === "unrolled") return this.unroll(loop);
    if (mode === "vector") this.vectorExtent = extent;
    const surelyRuns = mode !== "parallel" && boundsOf(extent).min >= step;
    const fault = this.blockThatMayRun(body, surelyRuns) ?? this.blockThatMayRun(remainder, false);
    if (mode === "vector") this.vectorExtent = undefined;
    return fault;
  }

  private unroll({ index, extent, body }: Loop): RegisterFault | undefined {
    for (let i = 0; i < Number(extent); i++) {
      this.unrolled.set(index, i);
      const fault = this.block(body);
      if (fault !== undefined) return fault;
    }
    return undefined;
  }

  private blockThatMayRun(statements: readonly Statement[], surelyRuns: boolean): RegisterFault | undefined {
    const before = new Map(this.coverage);
    const fault = this.block(statements);
    if (!surelyRuns) this.coverage = before;
    return fault;
  }

  private set(register: Register, element: number): void {
    const { count, lanes } = register;
    const before = this.coverage.get(register) ?? new Array<Size>(count).fill(0);
    const lanesSet = this.vectorExtent === undefined || lanes === 1 ? lanes : this.vectorExtent;
    if (this.holds(before[element]!, lanesSet, lanes)) return;
    this.coverage.set(register, before.with(element, lanesSet));
  }

  private read(value: Value): string | undefined {
    if (value.kind !== "register" && value.kind !== "combine") return undefined;
    const { register } = value;
    const element = this.elementOf(value.subscript);
    const wanted =
      value.kind === "combine" || this.vectorExtent === undefined ? register.lanes : this.vectorExtent;
    const held = this.coverage.get(register)?.[element] ?? 0;
    if (this.holds(held, wanted, register.lanes)) return undefined;
    const which = register.count === 1 ? register.name : `${register.name}[${element}]`;
    return held === 0 ? `${which} is read before it is set` : `${which} is read in lanes that are not set`;
  }

  /** Whether `held` lanes of a register with `lanes` cover `wanted` lanes. */
  private holds(held: Size, wanted: Size, lanes: number): boolean {
    const { min } = boundsOf(held);
    return min >= lanes || (min > 0 && min >= boundsOf(wanted).max) || (held !== 0 && sameSize(held, wanted));
  }

  private elementOf({ constant, terms }: Affine): number {
    return terms.reduce<number>(
      (sum, { index, stride }) => sum + Number(stride) * (this.unrolled.get(index) ?? 0),
      Number(constant),
    );
  }
}
