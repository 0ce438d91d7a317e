export { Bernoulli, Binomial, Poisson } from "./bernoulli.ts";
export { Categorical, Multinomial, OneHotCategorical } from "./categorical.ts";
export { Distribution, klDivergence } from "./distribution.ts";
export { Beta, Dirichlet, Gamma, StudentT } from "./gamma.ts";
export { Mixture } from "./mixture.ts";
export { MultivariateNormal, type Spread } from "./multivariate-normal.ts";
export { LogNormal, Normal } from "./normal.ts";
export type { Weights } from "./parameters.ts";
export { Exponential, Laplace, Uniform } from "./simple.ts";
