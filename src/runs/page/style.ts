/** How a report looks, in both themes: the system's unless the reader chose. */
import { paletteStyle } from "../../report/palette.ts";

const light = `${paletteStyle("light")} --ground: #f5f6f8; --border: #dfe3e9; --wrong: #b42318; --good: #067647; color-scheme: light;`;
const dark = `${paletteStyle("dark")} --ground: #0e1116; --border: #2a313d; --wrong: #ff9a8f; --good: #5fd6a0; color-scheme: dark;`;

export const style = `
:root { ${light} }
@media (prefers-color-scheme: dark) { :root { ${dark} } }
:root[data-theme="light"] { ${light} }
:root[data-theme="dark"] { ${dark} }
* { box-sizing: border-box; }
html { scroll-behavior: smooth; scroll-padding-top: 4.5rem; }
@media (prefers-reduced-motion: reduce) { html { scroll-behavior: auto; } }
body { margin: 0; background: var(--ground); color: var(--ink); font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main, header > div, nav > div, footer { max-width: 1180px; margin: 0 auto; padding: 0 1.25rem; }
header { padding: 2.25rem 0 1.5rem; }
header p { margin: .25rem 0 0; color: var(--muted); }
h1 { margin: 0; font-size: clamp(1.4rem, 4vw, 2rem); line-height: 1.2; letter-spacing: -.015em; overflow-wrap: anywhere; }
h2 { margin: 0; font-size: 1.3rem; letter-spacing: -.01em; }
h3 { margin: 0; font-size: 1rem; font-weight: 600; overflow-wrap: anywhere; }
.lead { margin: .2rem 0 1rem; color: var(--muted); }
nav { position: sticky; top: 0; z-index: 1; background: var(--paper); border-block: 1px solid var(--border); }
nav > div { display: flex; gap: .25rem; align-items: center; overflow-x: auto; }
nav a { padding: .8rem .7rem; color: var(--ink); text-decoration: none; white-space: nowrap; font-size: .95rem; }
nav a:hover { color: var(--series-0); text-decoration: underline; text-underline-offset: .35em; }
button { float: right; margin: 0 0 .5rem 1rem; padding: .4rem .8rem; border: 1px solid var(--border); border-radius: 999px; background: var(--ground); color: var(--ink); font: inherit; font-size: .9rem; white-space: nowrap; cursor: pointer; }
:focus-visible { outline: 3px solid var(--series-0); outline-offset: 2px; border-radius: 6px; }
section { padding: 2.25rem 0 .5rem; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: .75rem; margin-top: 1.25rem; }
.tile, .card { background: var(--paper); border: 1px solid var(--border); border-radius: 12px; }
.tile { padding: .8rem 1rem; }
.tile span { display: block; color: var(--muted); font-size: .85rem; }
.tile b { font-size: 1.35rem; font-weight: 650; letter-spacing: -.01em; font-variant-numeric: tabular-nums; }
.tile small { display: block; color: var(--muted); }
.status { display: inline-block; padding: .1rem .6rem; border-radius: 999px; border: 1px solid currentColor; font-size: .85rem; font-weight: 600; vertical-align: .3em; margin-left: .6rem; color: var(--muted); letter-spacing: 0; }
.status.finished { color: var(--good); } .status.failed { color: var(--wrong); }
.grid { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 400px), 1fr)); gap: 1rem; align-items: start; }
.grid.small { grid-template-columns: repeat(auto-fit, minmax(min(100%, 320px), 1fr)); }
.card { padding: 1rem 1.1rem; margin: 0; min-width: 0; }
section > .card { margin-top: 1rem; }
.card > h3 + * { margin-top: .6rem; } .card h3:not(:first-child) { margin-top: 1.2rem; }
figcaption p { margin: .1rem 0 0; color: var(--muted); font-size: .9rem; }
figure svg { display: block; width: 100%; max-width: 520px; height: auto; margin: .5rem auto 0; }
details { margin-top: .5rem; font-size: .9rem; }
summary { color: var(--muted); cursor: pointer; width: fit-content; padding: .2rem .3rem; margin-left: -.3rem; }
.scroll { overflow: auto; max-height: 34rem; }
.scroll.short { max-height: 9.5rem; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .35rem .6rem; text-align: right; border-bottom: 1px solid var(--grid); white-space: nowrap; }
th:first-child, td:first-child, .word { text-align: left; }
thead th { color: var(--muted); font-weight: 500; position: sticky; top: 0; background: var(--paper); }
tbody th { font-weight: 500; }
tbody tr:last-child > * { border-bottom: 0; }
.facts th { color: var(--muted); font-weight: 400; white-space: normal; vertical-align: top; }
.facts td { text-align: left; white-space: normal; overflow-wrap: anywhere; }
.share span { display: block; padding: 0 .4rem; border-radius: 4px; background: linear-gradient(to right, color-mix(in srgb, var(--series-0) 22%, transparent) calc(100% * var(--share)), transparent 0); }
.average > * { color: var(--muted); }
.mistakes { display: grid; grid-template-columns: repeat(auto-fill, minmax(150px, 1fr)); gap: .75rem; padding: 0; margin: 0; list-style: none; }
.mistake { padding: .75rem; display: flex; flex-direction: column; gap: .5rem; }
.mistake img { width: 100%; height: auto; border-radius: 6px; background: #000; }
.mistake img.pixels { image-rendering: pixelated; }
.mistake blockquote { margin: 0; max-height: 9.5rem; overflow: auto; font-size: .9rem; overflow-wrap: anywhere; }
.mistakes:has(blockquote), .mistakes:has(table) { grid-template-columns: repeat(auto-fill, minmax(min(100%, 240px), 1fr)); }
dl { display: flex; gap: 1rem; margin: 0; } dt { color: var(--muted); font-size: .8rem; } dd { margin: 0; font-weight: 600; overflow-wrap: anywhere; }
.mistake p { margin: 0; color: var(--muted); font-size: .85rem; }
.wrong { color: var(--wrong); }
footer { padding: 2.5rem 1.25rem 3rem; color: var(--muted); font-size: .9rem; }
@media (max-width: 520px) { main, header > div, nav > div { padding: 0 .9rem; } .card { padding: .85rem; } .tile b { font-size: 1.15rem; } section { padding-top: 1.75rem; } }
@media print { nav { display: none; } .scroll { max-height: none; } .card, .tile { break-inside: avoid; } }
`;
