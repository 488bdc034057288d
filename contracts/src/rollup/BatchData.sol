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

    /// @notice Hashes of the chunks in `data`: forced ones are their preRoot alone, the others of full length but for the
    /// batch's last, which may end after its preRoot.
    /// @param forcedChunks at most chunkCount
    function calldataWords(uint8 scheme, uint32 chunkCount, uint32 forcedChunks, bytes calldata data)
        internal
        view
        returns (bytes32[] memory words)
    {
        if (blobhash(0) != 0) revert IRollup.WrongBlobCount(0);
        uint256 chunkBytes = PRE_ROOT_BYTES + Scheme.bodyBytes(scheme);
        uint256 lastBytes = chunkCount == forcedChunks ? PRE_ROOT_BYTES : chunkBytes;
        uint256 longest =
            uint256(forcedChunks) * PRE_ROOT_BYTES + uint256(chunkCount - forcedChunks) * chunkBytes;
        if (data.length > longest || data.length + lastBytes < longest + PRE_ROOT_BYTES) {
            revert IRollup.WrongDataLength(data.length, chunkCount);
        }
        words = new bytes32[](chunkCount);
        uint256 start = 0;
        for (uint256 i = 0; i < chunkCount; ++i) {
            uint256 end = start + (i < forcedChunks ? PRE_ROOT_BYTES : chunkBytes);
            if (i + 1 == chunkCount) end = data.length;
            words[i] = keccak256(data[start:end]);
            start = end;
        }
    }
}
