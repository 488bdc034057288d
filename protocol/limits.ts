// Parameters of the protocol (◊ in docs/protocol.md). contracts/src/protocol/Limits.sol holds the same names and values; a test
// compares them. Units are in the names; `MAX_*` says whether the bound itself is allowed.

export const INTERVAL_SECONDS = 15
export const PERIOD_INTERVALS = 60
export const PERIOD_SECONDS = 900
/** Every L1 write that settlement can see takes effect this much later. */
export const NOTICE_SECONDS = 1_800
export const TREE_DEPTH = 20
export const MAX_SLOTS = 1_048_576
export const RECORD_BYTES = 24
export const P256_SIGNATURE_BYTES = 64
export const BLS_SIGNATURE_BYTES = 192
export const MAX_INTERVALS = 60
/** Exclusive, watt-hours. */
export const MAX_ENERGY_WH = 1_048_576
export const MAX_SOC_DROP = 10_000
/** Hottest temperature that is known, °C; above is unknown. */
export const MAX_TEMP_C = 150
export const POWER_TOLERANCE_BPS = 10_200
/** Exclusive, watts. */
export const MAX_RATED_W = 16_777_216
/** Exclusive, watt-hours. */
export const MAX_CAPACITY_WH = 1_048_576
/** Exclusive, basis points. */
export const MAX_SOC_TOLERANCE_BPS = 16_384
/** Exclusive, 10^-9 token per Wh. */
export const MAX_PRICE_NANO = 67_108_864
export const MAX_MULTIPLIER_BPS = 65_535
export const P256_CHUNK_RECORDS = 22
export const BLS_CHUNK_RECORDS = 64
export const CELL_ELEMENTS = 64
export const BLOB_CHUNKS = 64
export const P256_EVSE_DESCRIPTOR_BYTES = 85
export const BLS_EVSE_DESCRIPTOR_BYTES = 149
export const CONTRACT_DESCRIPTOR_BYTES = 77
export const TARIFF_BYTES = 92
export const RING_SIZE = 65_536
export const AS_OF_MAX_AGE_SECONDS = 10_800
export const WINDOW_SECONDS = 604_800
export const FRAUD_COMMIT_MAX_AGE_SECONDS = 86_400
/** Two proofs' cost at 500 gwei and 5 M gas each is 5 ether. */
export const SLASH_WEI = 5_000_000_000_000_000_000n
export const MIN_BOND_WEI = 10_000_000_000_000_000_000n
/** Of a receipt's time: its batch is posted within hours and final 7 days later. */
export const PROMISE_SECONDS = 1_209_600
/** Window, then the receipts' own 14 days. */
export const BOND_EXIT_SECONDS = 1_814_400
export const FORCED_BATCH_ENTRIES = 192
/** A batch that leaves an entry of this age behind is refused. */
export const FORCED_DUE_SECONDS = 43_200
/** From this age on anyone bonded may post the lane's forced chunks. */
export const FORCED_OPEN_SECONDS = 86_400
export const FORCE_FEE_WEI = 500_000_000_000_000n
export const MAX_ATTESTERS = 256
export const MIN_STAKE_MICRO = 1_000_000_000
/** Of a lane's escrow, that fast withdrawals may have outstanding. */
export const FAST_LANE_BPS = 1_000
export const DISPUTE_BOND_MICRO = 10_000_000
export const DISPUTE_ANSWER_SECONDS = 259_200
export const DISPUTE_TOLERANCE_BPS = 200
