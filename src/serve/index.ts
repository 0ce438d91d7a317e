/** Serving models over HTTP. */
export { type Served, type ServeOptions, serve } from "./serve.ts";
