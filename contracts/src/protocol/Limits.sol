// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice Parameters of the protocol. `protocol/limits.ts` holds the same names and values; a test compares them.
library Limits {
    uint256 internal constant INTERVAL_SECONDS = 15;
    uint256 internal constant PERIOD_INTERVALS = 60;
    uint256 internal constant PERIOD_SECONDS = 900;
    /// Every L1 write that settlement can see takes effect this much later.
    uint256 internal constant NOTICE_SECONDS = 1800;

    uint256 internal constant TREE_DEPTH = 20;
    uint256 internal constant MAX_SLOTS = 1048576;

    uint256 internal constant RECORD_BYTES = 24;
    uint256 internal constant P256_SIGNATURE_BYTES = 64;
    uint256 internal constant BLS_SIGNATURE_BYTES = 192;
    uint256 internal constant MAX_INTERVALS = 60;
    /// Exclusive, watt-hours.
    uint256 internal constant MAX_ENERGY_WH = 1048576;
    uint256 internal constant MAX_SOC_DROP = 10000;
    /// Hottest temperature that is known, °C; above is unknown.
    uint256 internal constant MAX_TEMP_C = 150;
    uint256 internal constant POWER_TOLERANCE_BPS = 10200;
    /// Exclusive, watts.
    uint256 internal constant MAX_RATED_W = 16777216;
    /// Exclusive, watt-hours.
    uint256 internal constant MAX_CAPACITY_WH = 1048576;
    /// Exclusive, basis points.
    uint256 internal constant MAX_SOC_TOLERANCE_BPS = 16384;
    /// Exclusive, 10^-9 token per Wh.
    uint256 internal constant MAX_PRICE_NANO = 67108864;
    uint256 internal constant MAX_MULTIPLIER_BPS = 65535;

    uint256 internal constant P256_CHUNK_RECORDS = 22;
    uint256 internal constant BLS_CHUNK_RECORDS = 64;
    uint256 internal constant CELL_ELEMENTS = 64;
    uint256 internal constant BLOB_CHUNKS = 64;

    uint256 internal constant P256_EVSE_DESCRIPTOR_BYTES = 85;
    uint256 internal constant BLS_EVSE_DESCRIPTOR_BYTES = 149;
    uint256 internal constant CONTRACT_DESCRIPTOR_BYTES = 77;
    uint256 internal constant TARIFF_BYTES = 92;

    uint256 internal constant RING_SIZE = 65536;
    uint256 internal constant AS_OF_MAX_AGE_SECONDS = 10800;
    uint256 internal constant WINDOW_SECONDS = 604800;
    uint256 internal constant FRAUD_COMMIT_MAX_AGE_SECONDS = 86400;
    /// Two proofs' cost at 500 gwei and 5 M gas each is 5 ether.
    uint256 internal constant SLASH_WEI = 5 ether;
    uint256 internal constant MIN_BOND_WEI = 10 ether;
    /// Of a receipt's time: its batch is posted within hours and final 7 days later.
    uint256 internal constant PROMISE_SECONDS = 1209600;
    /// Window, then the receipts' own 14 days.
    uint256 internal constant BOND_EXIT_SECONDS = 1814400;

    uint256 internal constant FORCED_BATCH_ENTRIES = 192;
    /// A batch that leaves an entry of this age behind is refused.
    uint256 internal constant FORCED_DUE_SECONDS = 43200;
    /// From this age on anyone bonded may post the lane's forced chunks.
    uint256 internal constant FORCED_OPEN_SECONDS = 86400;
    uint256 internal constant FORCE_FEE_WEI = 0.0005 ether;

    uint256 internal constant MAX_ATTESTERS = 256;
    /// micro
    uint256 internal constant MIN_STAKE_MICRO = 1000000000;
    /// Of a lane's escrow, that fast withdrawals may have outstanding.
    uint256 internal constant FAST_LANE_BPS = 1000;

    /// micro
    uint256 internal constant DISPUTE_BOND_MICRO = 10000000;
    uint256 internal constant DISPUTE_ANSWER_SECONDS = 259200;
    uint256 internal constant DISPUTE_TOLERANCE_BPS = 200;
}
