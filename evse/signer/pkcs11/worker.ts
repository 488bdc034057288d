import { parentPort, workerData } from 'node:worker_threads'
import type { Cryptoki } from './cryptoki.ts'
import { Library } from './library.ts'
import { HsmError, type HsmFailure, type HsmReply, type HsmRequest } from './messages.ts'

// PKCS#11 is synchronous and a network module takes milliseconds a call: this thread is blocked instead of the event loop.

const { module } = workerData as { module: string }
const port = parentPort!
const reply = (message: HsmReply): void => port.postMessage(message)

const library = open()

port.on('message', async ({ id, call }: HsmRequest) => {
  try {
    const opened = await library
    const result = opened instanceof HsmError ? failed(opened) : opened.call(call)
    reply({ id, result })
  } catch (error) {
    reply({ id, failure: failureOf(error) })
  }
  if (call.op === 'end') port.close()
})

async function open(): Promise<Library | HsmError> {
  let cryptoki: Cryptoki
  try {
    const { PKCS11 } = (await import('pkcs11js')).default
    cryptoki = new PKCS11()
  } catch (error) {
    const why = error instanceof Error ? error.message.split('\n', 1)[0] : String(error)
    const cure = 'install a C++ compiler and Python, then `npm install pkcs11js@2.1.7`'
    return new HsmError('HSM_UNAVAILABLE', `the package pkcs11js cannot be loaded (${why}): ${cure}`)
  }
  try {
    cryptoki.load(module)
    return new Library(cryptoki, {
      monotonicMs: () => performance.now(),
      tell: (event, message) => reply({ event, message }),
    })
  } catch (error) {
    return new HsmError('HSM_UNAVAILABLE', `${module}: ${error instanceof Error ? error.message : String(error)}`)
  }
}

function failed(error: HsmError): never {
  throw error
}

function failureOf(error: unknown): HsmFailure {
  if (error instanceof HsmError) return error.failure
  const message = error instanceof Error ? error.message : String(error)
  return { code: 'HSM_UNAVAILABLE', message, retryable: true }
}
