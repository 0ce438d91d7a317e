/** The worst mistakes, with what went in. */
import { fromBase64, toBase64 } from "../base64.ts";
import type { Evaluation, KeptMistake } from "../evaluation.ts";
import type { DrawnInput } from "../inputs.ts";
import { numberText, percentText } from "./format.ts";
import { type Html, html } from "./html.ts";
import { pngOf } from "./png.ts";

export function mistakesSection(found: Evaluation): Html | undefined {
  if (found.mistakes.length === 0) return undefined;
  const isClass = found.kind === "classification";
  const name = (value: number): string =>
    isClass ? (found.classes[value] ?? String(value)) : numberText(value);
  const cards = found.mistakes.map((mistake) => mistakeCard(mistake, name, isClass));
  const lead = isClass
    ? "Wrong answers that the model was surest of, the surest first."
    : "Answers that were farthest from right.";
  return html`<section id="mistakes"><h2>Worst mistakes</h2><p class="lead">${lead}</p><ul class="mistakes">${cards}</ul></section>`;
}

function mistakeCard(
  { index, actual, predicted, confidence, input }: KeptMistake,
  name: (value: number) => string,
  isClass: boolean,
): Html {
  const sure = isClass ? percentText(confidence) : `off by ${numberText(confidence)}`;
  return html`<li class="card mistake">${drawn(input, `sample ${index}`)}
<dl><div><dt>actual</dt><dd>${name(actual)}</dd></div><div><dt>predicted</dt><dd class="wrong">${name(predicted)}</dd></div></dl>
<p>${sure} · sample ${numberText(index)}</p></li>`;
}

function drawn(input: DrawnInput, alt: string): Html {
  if (input.kind === "text") return html`<blockquote>${input.text}</blockquote>`;
  if (input.kind === "row") {
    const rows = input.cells.map(
      ({ name, value }) => html`<tr><th scope="row">${name}</th><td>${numberText(value)}</td></tr>`,
    );
    return html`<div class="scroll short"><table class="facts"><tbody>${rows}</tbody></table></div>`;
  }
  const { width, height, channels, pixels } = input;
  const source = `data:image/png;base64,${toBase64(pngOf(fromBase64(pixels), width, height, channels))}`;
  return html`<img src="${source}" alt="${alt}" width="${width}" height="${height}" class="${width < 100 && "pixels"}">`;
}
