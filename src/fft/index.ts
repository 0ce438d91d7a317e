/** Fourier transforms of any length, differentiable, on every target. */
export type { Complex, ComplexLike } from "./complex.ts";
export {
  type FftNorm,
  type FftnOptions,
  type FftOptions,
  fft,
  fft2,
  fftfreq,
  fftn,
  fftshift,
  type IrfftnOptions,
  ifft,
  ifft2,
  ifftn,
  ifftshift,
  irfft,
  irfft2,
  irfftn,
  rfft,
  rfft2,
  rfftfreq,
  rfftn,
} from "./fft.ts";
