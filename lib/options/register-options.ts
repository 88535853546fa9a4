/** Fastify passes its own options of `register` on to every plugin. */
export function withoutRegisterOptions<Options extends object> (options: Options): Options {
  const { prefix, logLevel, logSerializers, ...own } = options as Options & Record<string, unknown>
  return own as unknown as Options
}
