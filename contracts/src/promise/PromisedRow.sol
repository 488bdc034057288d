// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Chunk} from "../protocol/Chunk.sol";
import {Limits} from "../protocol/Limits.sol";
import {Record} from "../protocol/Record.sol";

/// @notice A promised row against the chunk that covers its position.
library PromisedRow {
    /// @param skip non-empty records of the chunk before the promised one
    /// @return covered the chunk has so many
    /// @return kept its record, and on a P-256 lane its signature, are the promised ones
    function compare(bytes memory body, uint256 skip, bytes calldata row)
        internal
        pure
        returns (bool covered, bool kept)
    {
        for (uint256 i = 0; i < Limits.P256_CHUNK_RECORDS; i++) {
            Record record = Chunk.p256Record(body, i);
            if (record.isEmpty()) continue;
            if (skip > 0) {
                skip--;
                continue;
            }
            bool sameRecord = Record.unwrap(record) == uint192(bytes24(row[:Limits.RECORD_BYTES]));
            return (true, sameRecord && _sameSignature(body, i, row));
        }
    }

    function _sameSignature(bytes memory body, uint256 i, bytes calldata row) private pure returns (bool) {
        (bytes32 r, bytes32 s) = Chunk.p256Signature(body, i);
        return r == bytes32(row[24:56]) && s == bytes32(row[56:88]);
    }
}
