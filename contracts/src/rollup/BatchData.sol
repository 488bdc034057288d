// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IRollup} from "../interfaces/IRollup.sol";
import {Limits} from "../protocol/Limits.sol";
import {Scheme} from "../protocol/Scheme.sol";

/// @notice The data words of a batch (docs/protocol.md §15.3): what a fraud proof's openings are checked against.
library BatchData {
    uint256 private constant PRE_ROOT_BYTES = 31;

    /// @notice Versioned hashes of the transaction's blobs, of which there must be just as many as the chunks need.
    function blobWords(uint32 chunkCount, bytes calldata data)
        internal
        view
        returns (bytes32[] memory words)
    {
        if (data.length != 0) revert IRollup.UnexpectedCalldata();
        uint256 blobs = (uint256(chunkCount) + Limits.BLOB_CHUNKS - 1) / Limits.BLOB_CHUNKS;
        // From the far end, so that an absurd chunk count costs nothing.
        if (blobhash(blobs - 1) == 0 || blobhash(blobs) != 0) revert IRollup.WrongBlobCount(blobs);
        words = new bytes32[](blobs);
        for (uint256 i = 0; i < blobs; ++i) {
            words[i] = blobhash(i);
        }
    }

    /// @notice Hashes of the chunks in `data`, all of full length but the last, which may end after its preRoot.
    function calldataWords(uint8 scheme, uint32 chunkCount, bytes calldata data)
        internal
        view
        returns (bytes32[] memory words)
    {
        if (blobhash(0) != 0) revert IRollup.WrongBlobCount(0);
        uint256 chunkBytes = PRE_ROOT_BYTES + Scheme.bodyBytes(scheme);
        uint256 lastAt = (uint256(chunkCount) - 1) * chunkBytes;
        if (data.length < lastAt + PRE_ROOT_BYTES || data.length > lastAt + chunkBytes) {
            revert IRollup.WrongDataLength(data.length, chunkCount);
        }
        words = new bytes32[](chunkCount);
        for (uint256 i = 0; i < chunkCount; ++i) {
            uint256 start = i * chunkBytes;
            words[i] = keccak256(i + 1 == chunkCount ? data[start:] : data[start:start + chunkBytes]);
        }
    }
}
