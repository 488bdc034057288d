// @peculiar/x509 registers its classes by decorators and wants the three calls of `reflect-metadata`, which is not installed with it.

const metadata = new WeakMap<object, Map<unknown, unknown>>()

Object.assign(Reflect, {
  defineMetadata(key: unknown, value: unknown, target: object): void {
    const own = metadata.get(target) ?? new Map<unknown, unknown>()
    metadata.set(target, own.set(key, value))
  },
  getOwnMetadata: (key: unknown, target: object): unknown => metadata.get(target)?.get(key),
  getMetadata(key: unknown, target: object): unknown {
    for (let at: object | null = target; at !== null; at = Reflect.getPrototypeOf(at)) {
      const own = metadata.get(at)
      if (own?.has(key)) return own.get(key)
    }
    return undefined
  },
})

/** Certificates for tests. */
export const x509 = await import('@peculiar/x509')
