// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EvseDescriptor} from "./Descriptor.sol";
import {Limits} from "./Limits.sol";

/// @notice A lane's signature scheme, and the lengths that follow from it (docs/protocol.md §7, §15.1, §15.3).
library Scheme {
    uint8 internal constant P256 = 0;
    uint8 internal constant BLS = 1;

    function known(uint8 scheme) internal pure returns (bool) {
        return scheme <= BLS;
    }

    /// @notice The key at the head of an EVSE's descriptor.
    function keyBytes(uint8 scheme) internal pure returns (uint256) {
        return scheme == BLS ? EvseDescriptor.BLS_KEY_BYTES : EvseDescriptor.P256_KEY_BYTES;
    }

    function evseDescriptorBytes(uint8 scheme) internal pure returns (uint256) {
        return scheme == BLS ? Limits.BLS_EVSE_DESCRIPTOR_BYTES : Limits.P256_EVSE_DESCRIPTOR_BYTES;
    }

    function chunkRecords(uint8 scheme) internal pure returns (uint256) {
        return scheme == BLS ? Limits.BLS_CHUNK_RECORDS : Limits.P256_CHUNK_RECORDS;
    }

    /// @notice What the records of a chunk take of its body.
    function bodyBytes(uint8 scheme) internal pure returns (uint256) {
        return scheme == BLS
            ? Limits.BLS_SIGNATURE_BYTES + Limits.BLS_CHUNK_RECORDS * Limits.RECORD_BYTES
            : Limits.P256_CHUNK_RECORDS * (Limits.RECORD_BYTES + Limits.P256_SIGNATURE_BYTES);
    }
}
