export { type GradientOptions, gradients } from "./gradients.ts";
export { hessianVectorProducts, jacobian } from "./jacobian.ts";
export { valueReadBy } from "./state-reads.ts";
export { jvp, vjp } from "./vjp.ts";
