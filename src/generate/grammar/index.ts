/** Answers of a given form. */
export { GrammarRun, OutputGrammar } from "./output-grammar.ts";
