/** Drawings of results: charts for pages and terminals, images, mistakes. */
export {
  type Bar,
  type BarChart,
  barChart,
  type Chart,
  confusionChart,
  type HeatmapChart,
  type HistogramChart,
  heatmapChart,
  histogramChart,
  type LineChart,
  lineChart,
  type ScatterChart,
  type Series,
  scatterChart,
} from "./chart.ts";
export { type DrawOptions, drawImage, drawImages, type GreyImage } from "./images.ts";
export { type Mistake, worstMistakes } from "./mistakes.ts";
export { type RenderOptions, renderPng, renderSvg } from "./render.ts";
export { sparkline } from "./sparkline.ts";
export { type ChartTextOptions, drawChart } from "./terminal-chart.ts";
