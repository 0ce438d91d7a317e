/** `netwright completion`: what makes a shell complete commands and flags. */
import { write } from "#platform";
import { ArgumentError } from "../base/errors.ts";
import type { Command } from "./command.ts";

type Commands = Readonly<Record<string, Command>>;

/** @param commands all of them, once they are known: this one is among them */
export const completionOf = (commands: () => Commands): Command => ({
  summary: "what makes a shell complete commands and flags",
  usage: `netwright completion bash|zsh|fish

  netwright completion bash >> ~/.bashrc
  netwright completion zsh > ~/.zfunc/_netwright
  netwright completion fish > ~/.config/fish/completions/netwright.fish`,
  flags: {},
  run({ positionals }) {
    const [shell = "", extra] = positionals;
    if (!Object.hasOwn(scripts, shell) || extra !== undefined)
      throw new ArgumentError(
        `completion takes one of ${Object.keys(scripts).join(", ")}, got "${positionals.join(" ")}"`,
      );
    write("stdout", scripts[shell]!(commands()));
    return 0;
  },
});

const flagsOf = ({ flags }: Command): string[] => [...Object.keys(flags), "help"].map((name) => `--${name}`);

/** Within single quotes of a shell. */
const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

const scripts: Readonly<Record<string, (commands: Commands) => string>> = {
  bash: (commands) => `_netwright() {
  local word=\${COMP_WORDS[COMP_CWORD]} words=""
  if [ "$COMP_CWORD" -eq 1 ]; then words=${quoted(Object.keys(commands).join(" "))}
  else
    case "\${COMP_WORDS[1]}" in
${Object.entries(commands)
  .map(([name, command]) => `      ${name}) words=${quoted(flagsOf(command).join(" "))};;`)
  .join("\n")}
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$word"))
  # Where nothing fits, files and the names of runs do.
  if [ \${#COMPREPLY[@]} -eq 0 ] && [[ "$word" != -* ]]; then
    COMPREPLY=($(compgen -f -- "$word") $(cd runs 2>/dev/null && compgen -d -- "$word"))
  fi
}
complete -o filenames -F _netwright netwright
`,
  zsh: (commands) => `#compdef netwright
_netwright() {
  local -a commands flags
  commands=(
${Object.entries(commands)
  .map(([name, { summary }]) => `    ${quoted(`${name}:${summary}`)}`)
  .join("\n")}
  )
  if (( CURRENT == 2 )); then _describe command commands; return; fi
  case $words[2] in
${Object.entries(commands)
  .map(([name, command]) => `    ${name}) flags=(${flagsOf(command).join(" ")});;`)
  .join("\n")}
  esac
  _alternative "flags:flag:($flags)" "files:file:_files" "runs:run:_path_files -W runs -/"
}
_netwright "$@"
`,
  fish: (commands) => `${[
    "complete -c netwright -f",
    ...Object.entries(commands).flatMap(([name, command]) => [
      `complete -c netwright -n __fish_use_subcommand -a ${name} -d ${quoted(command.summary)}`,
      `complete -c netwright -n '__fish_seen_subcommand_from ${name}' -F`,
      ...Object.keys(command.flags).map(
        (flag) =>
          `complete -c netwright -n '__fish_seen_subcommand_from ${name}' -l ${flag}${command.flags[flag]!.type === "string" ? " -r" : ""}`,
      ),
    ]),
  ].join("\n")}
`,
};
