import { readFile, writeFile } from 'node:fs/promises'
import { generateKeyPair, privateKeyFromProtobuf, privateKeyToProtobuf } from '@libp2p/crypto/keys'
import type { PrivateKey } from '@libp2p/interface'
import { BackfeedError, ExitCode } from './errors.ts'

/**
 * The node's key, from which its peer id follows. Made on the first start (Ed25519, base64 of libp2p's protobuf, readable by its owner alone):
 * peers pin the id, so a file that is there and cannot be read must never be replaced by a new identity.
 */
export async function loadPeerIdentity(keyFile: string): Promise<PrivateKey> {
  const text = await readExisting(keyFile)
  if (text !== undefined) return parseKey(keyFile, text)
  const key = await generateKeyPair('Ed25519')
  const encoded = `${Buffer.from(privateKeyToProtobuf(key)).toString('base64')}\n`
  try {
    await writeFile(keyFile, encoded, { mode: 0o600, flag: 'wx', flush: true })
  } catch (cause) {
    throw new BackfeedError('PEER_KEY_UNWRITABLE', `cannot write the peer key ${keyFile}`, {
      exitCode: ExitCode.usage,
      cause,
    })
  }
  return key
}

async function readExisting(keyFile: string): Promise<string | undefined> {
  try {
    return await readFile(keyFile, 'utf8')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new BackfeedError('PEER_KEY_UNREADABLE', `cannot read the peer key ${keyFile}`, {
      exitCode: ExitCode.usage,
      cause,
    })
  }
}

function parseKey(keyFile: string, text: string): PrivateKey {
  try {
    return privateKeyFromProtobuf(Buffer.from(text.trim(), 'base64'))
  } catch (cause) {
    throw new BackfeedError('PEER_KEY_UNREADABLE', `${keyFile} holds no libp2p private key`, {
      exitCode: ExitCode.usage,
      cause,
    })
  }
}
