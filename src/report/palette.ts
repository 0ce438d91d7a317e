/** Colours of charts, by the ground they stand on. */

export interface Palette {
  /** Text and marks that must be read. */
  readonly ink: string;
  /** Labels of axes. */
  readonly muted: string;
  readonly grid: string;
  /** The ground itself: text on a dark cell. */
  readonly paper: string;
  /** Of series, in order; told apart also by people who see fewer colours, as far as so many can be. */
  readonly series: readonly string[];
}

const light: Palette = {
  ink: "#1b1f27",
  muted: "#5b6472",
  grid: "#e4e7ec",
  paper: "#ffffff",
  series: [
    ...["#2456d6", "#d9480f", "#0b8a72", "#a21caf", "#b7791f", "#0e7490"],
    ...["#be123c", "#4d7c0f", "#6d28d9", "#64748b", "#92400e", "#0369a1"],
  ],
};

const dark: Palette = {
  ink: "#e8ebf1",
  muted: "#a3adbd",
  grid: "#313947",
  paper: "#171b22",
  series: [
    ...["#7aa2ff", "#ff9a62", "#4fd1b5", "#e58bf2", "#f0c05a", "#5ed0e6"],
    ...["#ff8095", "#a8d65c", "#b39dff", "#9aa7ba", "#dba66e", "#69bdf5"],
  ],
};

/** Names that a page gives values to, so that one drawing serves both themes. */
const page: Palette = {
  ...{ ink: "var(--ink)", muted: "var(--muted)", grid: "var(--grid)", paper: "var(--paper)" },
  series: light.series.map((_, i) => `var(--series-${i})`),
};

export const palettes = { light, dark, page } as const;
export type Theme = keyof typeof palettes;

/** The values of a page's names: `--ink: #1b1f27; …`. */
export function paletteStyle(theme: "light" | "dark"): string {
  const { series, ...named } = palettes[theme];
  const names = Object.entries(named).map(([name, value]) => `--${name}: ${value};`);
  return [...names, ...series.map((value, i) => `--series-${i}: ${value};`)].join(" ");
}
