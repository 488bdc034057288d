import { type Address, concatHex, encodeFunctionData, erc20Abi, type Hex, keccak256, parseEventLogs } from 'viem'
import { verifyPossession } from '../../protocol/blsPossession.ts'
import {
  type ContractDescriptor,
  type EvseDescriptor,
  encodeContractDescriptor,
  encodeEvseDescriptor,
} from '../../protocol/descriptor.ts'
import { BLS_LAYOUT } from '../../protocol/scheme.ts'
import { BackfeedError, ExitCode } from '../../runtime/errors.ts'
import { registryAbi } from '../abi/registry.ts'
import { vehicleAbi } from '../abi/vehicle.ts'
import { toHex } from '../bytes.ts'
import type { L1Account } from '../client.ts'
import { type Caller, sendCall } from '../contractCall.ts'

export interface RegistryAddresses {
  readonly registry: Address
  readonly token: Address
}

/** An EIP-712 signature over the next slots of a lane. */
export interface Signed {
  readonly deadline: bigint
  readonly signature: Hex
}

/** Where the registry's EIP-712 domain is from. */
interface RegistryDomain {
  readonly chainId: number
  readonly registry: Address
}

const certificateTypes = {
  Certificate: [
    { name: 'lane', type: 'uint32' },
    { name: 'firstSlot', type: 'uint32' },
    { name: 'descriptorsHash', type: 'bytes32' },
    { name: 'deadline', type: 'uint64' },
  ],
} as const

const enrolmentTypes = {
  Enrolment: [
    { name: 'lane', type: 'uint32' },
    { name: 'descriptorHash', type: 'bytes32' },
    { name: 'deadline', type: 'uint64' },
  ],
} as const

export function evseDescriptorsHex(evses: readonly EvseDescriptor[]): Hex {
  return concatHex(evses.map((evse) => toHex(encodeEvseDescriptor(evse))))
}

/** The zone's certifier vouches for EVSEs that will take `firstSlot` and the slots after it. Serves once. */
export async function signCertificate(
  certifier: L1Account,
  domain: RegistryDomain,
  what: { lane: number; firstSlot: number; descriptors: Hex; deadline: bigint },
): Promise<Signed> {
  const signature = await certifier.signTypedData({
    domain: eip712Domain(domain),
    types: certificateTypes,
    primaryType: 'Certificate',
    message: {
      lane: what.lane,
      firstSlot: what.firstSlot,
      descriptorsHash: keccak256(what.descriptors),
      deadline: what.deadline,
    },
  })
  return { deadline: what.deadline, signature }
}

/**
 * Registers certified EVSEs; takes their deposits from the caller, approving them first. A BLS lane wants a proof of possession of
 * each key, 192 bytes in L1's order, a P-256 lane none. Returns the first slot.
 *
 * @throws BackfeedError BAD_POSSESSION before anything is sent, for one that the registry would refuse
 */
export async function registerEvses(
  caller: Caller,
  addresses: RegistryAddresses,
  what: {
    lane: number
    evses: readonly EvseDescriptor[]
    certificate: Signed
    possessions?: readonly Uint8Array[]
  },
): Promise<number> {
  const { registry, token } = addresses
  const { deadline, signature } = what.certificate
  checkPossessions(what.evses, what.possessions ?? [])
  const possessions = concatHex((what.possessions ?? []).map(toHex))
  const depositMicro = what.evses.reduce((sum, evse) => sum + evse.depositMicro, 0n)
  if (depositMicro > 0n) {
    const data = encodeFunctionData({ abi: erc20Abi, functionName: 'approve', args: [registry, depositMicro] })
    await sendCall(caller, { to: token, data, label: 'approve the deposits' })
  }
  const data = encodeFunctionData({
    abi: registryAbi,
    functionName: 'registerMany',
    args: [what.lane, evseDescriptorsHex(what.evses), deadline, signature, possessions],
  })
  const receipt = await sendCall(caller, { to: registry, data, label: `register ${what.evses.length} EVSEs` })
  const [event] = parseEventLogs({ abi: registryAbi, eventName: 'EvsesRegistered', logs: receipt.logs })
  if (event === undefined) throw new BackfeedError('EVENT_MISSING', 'the registry announced no EVSEs')
  return event.args.firstSlot
}

function checkPossessions(evses: readonly EvseDescriptor[], possessions: readonly Uint8Array[]): void {
  for (const [i, { key }] of evses.entries()) {
    if (key.length !== BLS_LAYOUT.keyBytes || verifyPossession(key, possessions[i] ?? new Uint8Array())) continue
    throw new BackfeedError(
      'BAD_POSSESSION',
      `EVSE ${i + 1} of ${evses.length}: nobody proves to hold the key's secret`,
      {
        exitCode: ExitCode.refusedByL1,
        details: { key: toHex(key) },
      },
    )
  }
}

/** The vehicle's owner agrees to a contract. */
export async function signConsent(
  owner: L1Account,
  domain: RegistryDomain,
  what: { lane: number; contract: ContractDescriptor; deadline: bigint },
): Promise<Hex> {
  return await owner.signTypedData({
    domain: eip712Domain(domain),
    types: enrolmentTypes,
    primaryType: 'Enrolment',
    message: {
      lane: what.lane,
      descriptorHash: keccak256(encodeContractDescriptor(what.contract)),
      deadline: what.deadline,
    },
  })
}

/** Enrols contracts; `consents[i]` may be `0x` for a vehicle of the caller's own. Returns the first slot. */
export async function enrolContracts(
  caller: Caller,
  registry: Address,
  what: { lane: number; contracts: readonly ContractDescriptor[]; consents: readonly Hex[]; deadline: bigint },
): Promise<number> {
  const descriptors = concatHex(what.contracts.map((contract) => toHex(encodeContractDescriptor(contract))))
  const args = [what.lane, descriptors, what.deadline, what.consents] as const
  const data = encodeFunctionData({ abi: registryAbi, functionName: 'enrolMany', args })
  const receipt = await sendCall(caller, { to: registry, data, label: `enrol ${what.contracts.length} contracts` })
  const [event] = parseEventLogs({ abi: registryAbi, eventName: 'ContractsEnrolled', logs: receipt.logs })
  if (event === undefined) throw new BackfeedError('EVENT_MISSING', 'the registry announced no contracts')
  return event.args.firstSlot
}

/** A vehicle's ERC-721 for each owner; token ids in the same order. */
export async function mintVehicles(caller: Caller, vehicle: Address, owners: readonly Address[]): Promise<bigint[]> {
  const data = encodeFunctionData({ abi: vehicleAbi, functionName: 'mintMany', args: [owners] })
  const receipt = await sendCall(caller, { to: vehicle, data, label: `mint ${owners.length} vehicles` })
  return parseEventLogs({ abi: vehicleAbi, eventName: 'Transfer', logs: receipt.logs }).map(({ args }) => args.tokenId)
}

function eip712Domain({ chainId, registry }: RegistryDomain) {
  return { name: 'Backfeed', version: '1', chainId, verifyingContract: registry } as const
}
