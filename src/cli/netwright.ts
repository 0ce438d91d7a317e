#!/usr/bin/env node
/** The program `netwright`. */
import { programArguments, setExitCode } from "#platform";
import { main } from "./main.ts";

setExitCode(await main(programArguments()));
