/** Drawings of results for a terminal: curves, images, mistakes. */
export { type DrawOptions, drawImage, drawImages, type GreyImage } from "./images.ts";
export { type Mistake, worstMistakes } from "./mistakes.ts";
export { sparkline } from "./sparkline.ts";
