export { type FailedCheck, type Interpretation, type InterpretOptions, interpret } from "./interpret.ts";
