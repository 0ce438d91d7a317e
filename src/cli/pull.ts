/** `netwright pull`: fetches a published model. */
import { terminal, write } from "#platform";
import { ArgumentError } from "../base/errors.ts";
import { type PullProgress, pull } from "../pretrained/index.ts";
import type { Command } from "./command.ts";
import { numberText } from "./text.ts";

export const pullModel: Command = {
  summary: "fetches a model of the Hugging Face hub into its cache",
  usage: `netwright pull OWNER/NAME [--file FILE] [--revision REVISION]

  OWNER/NAME             a model, such as HuggingFaceTB/SmolLM2-135M-Instruct
  --file FILE            only this file of it, such as a GGUF file
  --revision REVISION    a branch, tag or commit (default: main)

  What broke off goes on where it ended; what is there is not fetched again. Files are where Hugging Face's tools look for them
  (HF_HOME), so that loadPretrained("OWNER/NAME") and the other commands find them by name, without the network. HF_TOKEN is for models
  that are not public.

  netwright pull HuggingFaceTB/SmolLM2-135M-Instruct
  netwright pull owner/model-GGUF --file model-Q4_K_M.gguf`,
  flags: { file: { type: "string" }, revision: { type: "string" } },
  async run({ values, positionals }) {
    const [id, extra] = positionals;
    if (id === undefined || extra !== undefined)
      throw new ArgumentError(`pull takes one model, got ${positionals.length}`);
    const { file, revision } = values;
    const { folder, files, fetchedBytes } = await pull(id, {
      ...(typeof file === "string" && { file }),
      ...(typeof revision === "string" && { revision }),
      ...(terminal("stderr").isTerminal && { onProgress: showProgress }),
    });
    const what = fetchedBytes === 0 ? "all there already" : `${numberText(fetchedBytes)} bytes fetched`;
    write("stdout", `${files.join("\n")}\n${files.length} files, ${what}: "${folder}"\n`);
    return 0;
  },
};

/** One line a file, written over as bytes arrive. */
function showProgress({ file, bytes, totalBytes }: PullProgress): void {
  const share = totalBytes === 0 ? 100 : Math.floor((100 * bytes) / totalBytes);
  write("stderr", `\r${file} ${share} %${bytes === totalBytes ? "\n" : ""}`);
}
