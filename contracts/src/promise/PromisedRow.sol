// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Chunk} from "../protocol/Chunk.sol";
import {Limits} from "../protocol/Limits.sol";
import {Record} from "../protocol/Record.sol";
import {Scheme} from "../protocol/Scheme.sol";

/// @notice A promised row against the chunk that covers its position.
library PromisedRow {
    function rowBytes(uint8 scheme) internal pure returns (uint256) {
        return Limits.RECORD_BYTES
            + (scheme == Scheme.BLS ? Limits.BLS_SIGNATURE_BYTES : Limits.P256_SIGNATURE_BYTES);
    }

    /// @param skip non-empty records of the chunk before the promised one
    /// @return covered the chunk has so many
    /// @return place where in the chunk
    /// @return kept its record, and on a P-256 lane its signature, are the promised ones
    function compare(uint8 scheme, bytes memory body, uint256 skip, bytes calldata row)
        internal
        pure
        returns (bool covered, uint32 place, bool kept)
    {
        uint256 count = Scheme.chunkRecords(scheme);
        for (uint256 i = 0; i < count; i++) {
            Record record = scheme == Scheme.BLS ? Chunk.blsRecord(body, i) : Chunk.p256Record(body, i);
            if (record.isEmpty()) continue;
            if (skip > 0) {
                skip--;
                continue;
            }
            bool sameRecord = Record.unwrap(record) == uint192(bytes24(row[:Limits.RECORD_BYTES]));
            // A BLS chunk holds no signature of one record alone.
            return (true, uint32(i), sameRecord && (scheme == Scheme.BLS || _sameSignature(body, i, row)));
        }
    }

    function _sameSignature(bytes memory body, uint256 i, bytes calldata row) private pure returns (bool) {
        (bytes32 r, bytes32 s) = Chunk.p256Signature(body, i);
        return r == bytes32(row[24:56]) && s == bytes32(row[56:88]);
    }
}
