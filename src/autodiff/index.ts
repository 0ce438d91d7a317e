export { type GradientOptions, gradients } from "./gradients.ts";
export { jvp, vjp } from "./vjp.ts";
