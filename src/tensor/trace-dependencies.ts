/** What a trace depends on beside its arguments: objects with a version, such as modules, whose setters raise it. */

/** Anything that behaves differently when its version differs. */
export interface Versioned {
  readonly version: number;
}

/** The objects that a trace touched, with the versions it saw. */
export class Dependencies {
  private readonly objects: Versioned[] = [];
  private readonly versions: number[] = [];
  private readonly seen = new Set<Versioned>();

  add(object: Versioned): void {
    if (this.seen.has(object)) return;
    this.seen.add(object);
    this.objects.push(object);
    this.versions.push(object.version);
  }

  /** Whether all are as they were. */
  hold(): boolean {
    for (let i = 0; i < this.objects.length; i++) {
      if (this.objects[i]!.version !== this.versions[i]) return false;
    }
    return true;
  }
}

let current: Dependencies | undefined;

/**
 * Says that what is being traced now depends on `object`: a compiled function traces again when its version has changed.
 * Outside of a trace nothing happens.
 *
 * @example
 * const settings = { version: 0, scale: 2 };
 * const scaled = compile((x: Tensor) => {
 *   touch(settings);
 *   return x.mul(settings.scale);
 * });
 * scaled(tensor(3)); // 6
 * settings.scale = 5;
 * settings.version++;
 * scaled(tensor(3)); // 15
 */
export function touch(object: Versioned): void {
  current?.add(object);
}

/** Runs `body` with everything it touches noted in `dependencies`. */
export function withDependencies<R>(dependencies: Dependencies, body: () => R): R {
  const outer = current;
  current = dependencies;
  try {
    return body();
  } finally {
    current = outer;
  }
}
