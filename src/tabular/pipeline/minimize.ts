/** The minimum of a function of one number, by Brent's method (1973), as `scipy.optimize.brent` computes it. */

const golden = 1.618034;
const goldenSection = 0.381966;
const tolerance = 1.48e-8;
const smallest = 1e-21;

/** Three points of which the middle one is lowest, found downhill from two. */
function bracket(f: (x: number) => number, from: number, to: number): [number, number, number] {
  let [a, b] = [from, to];
  let [fa, fb] = [f(a), f(b)];
  if (fa < fb) [a, b, fa, fb] = [b, a, fb, fa];
  let c = b + golden * (b - a);
  let fc = f(c);
  for (let step = 0; fc < fb && step < 1000; step++) {
    const t1 = (b - a) * (fb - fc);
    const t2 = (b - c) * (fb - fa);
    const value = t2 - t1;
    const denominator = 2 * (Math.abs(value) < smallest ? smallest : value);
    let w = b - ((b - c) * t2 - (b - a) * t1) / denominator;
    const limit = b + 110 * (c - b);
    let fw: number;
    if ((w - c) * (b - w) > 0) {
      fw = f(w);
      if (fw < fc) return [b, w, c];
      if (fw > fb) return [a, b, w];
      w = c + golden * (c - b);
      fw = f(w);
    } else if ((w - limit) * (limit - c) >= 0) {
      w = limit;
      fw = f(w);
    } else if ((w - limit) * (c - w) > 0) {
      fw = f(w);
      if (fw < fc) {
        [b, c] = [c, w];
        w = c + golden * (c - b);
        [fb, fc] = [fc, fw];
        fw = f(w);
      }
    } else {
      w = c + golden * (c - b);
      fw = f(w);
    }
    [a, b, c] = [b, c, w];
    [fa, fb, fc] = [fb, fc, fw];
  }
  return [a, b, c];
}

/** Where f is least, starting downhill from two points. */
export function minimize(f: (x: number) => number, from: number, to: number): number {
  const [first, middle, last] = bracket(f, from, to);
  let [a, b] = first < last ? [first, last] : [last, first];
  let [x, w, v] = [middle, middle, middle];
  let fx = f(x);
  let [fw, fv] = [fx, fx];
  let delta = 0;
  let rat = 0;
  for (let step = 0; step < 500; step++) {
    const near = tolerance * Math.abs(x) + 1e-11;
    const center = 0.5 * (a + b);
    if (Math.abs(x - center) < 2 * near - 0.5 * (b - a)) break;
    const towardsSection = (): void => {
      delta = x >= center ? a - x : b - x;
      rat = goldenSection * delta;
    };
    if (Math.abs(delta) <= near) towardsSection();
    else {
      const t1 = (x - w) * (fx - fv);
      let t2 = (x - v) * (fx - fw);
      let p = (x - v) * t2 - (x - w) * t1;
      t2 = 2 * (t2 - t1);
      if (t2 > 0) p = -p;
      t2 = Math.abs(t2);
      const before = delta;
      delta = rat;
      if (p > t2 * (a - x) && p < t2 * (b - x) && Math.abs(p) < Math.abs(0.5 * t2 * before)) {
        rat = p / t2;
        const u = x + rat;
        if (u - a < 2 * near || b - u < 2 * near) rat = center - x >= 0 ? near : -near;
      } else towardsSection();
    }
    const u = Math.abs(rat) < near ? x + (rat >= 0 ? near : -near) : x + rat;
    const fu = f(u);
    if (fu > fx) {
      if (u < x) a = u;
      else b = u;
      if (fu <= fw || w === x) [v, w, fv, fw] = [w, u, fw, fu];
      else if (fu <= fv || v === x || v === w) [v, fv] = [u, fu];
    } else {
      if (u >= x) a = x;
      else b = x;
      [v, w, x] = [w, x, u];
      [fv, fw, fx] = [fw, fx, fu];
    }
  }
  return x;
}
