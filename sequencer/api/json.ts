import type { FastifyReply } from 'fastify'

/**
 * JSON that loses nothing: whatever is a bigint in our types (money that can pass 2^53, 64-bit header fields, token ids) is a
 * decimal string, whatever is a number is a number.
 */
export function sendJson(reply: FastifyReply, value: object): FastifyReply {
  return reply.header('content-type', 'application/json; charset=utf-8').send(JSON.stringify(value, bigintsAsStrings))
}

function bigintsAsStrings(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value
}
