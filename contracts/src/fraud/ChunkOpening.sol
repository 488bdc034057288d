// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IFraudVerifier, Proof} from "../interfaces/IFraudVerifier.sol";
import {BlobCell} from "../kzg/BlobCell.sol";
import {Chunk} from "../protocol/Chunk.sol";
import {Header, HeaderLib} from "../protocol/Header.sol";
import {Limits} from "../protocol/Limits.sol";

/// @notice What a batch posted: one chunk of it and the root that it states after that chunk, out of a blob or of calldata
/// (docs/protocol.md §7, §15.4).
library ChunkOpening {
    /// @notice The chunk's bytes, authenticated by the header's data hash.
    /// @param setup a TrustedSetup, whose code hash was checked
    /// @return preRoot what the chunk states as the root before it
    /// @return body its records
    /// @return claimed the root that the batch claims after it: what the next chunk states, or the header after the last
    function open(address setup, Header memory header, uint32 chunk, Proof calldata parts)
        internal
        view
        returns (bytes31 preRoot, bytes memory body, bytes31 claimed)
    {
        (preRoot, body) = openAlone(setup, header, chunk, parts);
        bool last = chunk + 1 == header.chunkCount;
        if (last && parts.opening.next.length != 0) {
            revert IFraudVerifier.WrongLength("next", parts.opening.next.length);
        }

        if (last) claimed = header.postRoot;
        else if (header.dataKind == HeaderLib.BLOB) claimed = _nextBlobRoot(chunk + 1, parts);
        else claimed = _nextCalldataRoot(chunk + 1, parts);
    }

    /// @notice The chunk's bytes without what is claimed after it.
    function openAlone(address setup, Header memory header, uint32 chunk, Proof calldata parts)
        internal
        view
        returns (bytes31, bytes memory)
    {
        bytes32 dataHash = keccak256(abi.encodePacked(parts.dataWords));
        if (dataHash != header.dataHash) revert IFraudVerifier.WrongDataWords(header.dataHash, dataHash);
        if (header.dataKind == HeaderLib.BLOB) return _openBlob(setup, chunk, parts);
        if (header.dataKind != HeaderLib.CALLDATA) revert IFraudVerifier.UnknownDataKind(header.dataKind);
        bytes calldata data = parts.opening.chunk;
        if (keccak256(data) != parts.dataWords[chunk]) revert IFraudVerifier.WrongChunkData(chunk);
        return Chunk.fromBytes(data);
    }

    function _openBlob(address setup, uint32 chunk, Proof calldata parts)
        private
        view
        returns (bytes31, bytes memory)
    {
        BlobCell.verify({
            setup: setup,
            versionedHash: parts.dataWords[chunk / Limits.BLOB_CHUNKS],
            index: chunk % Limits.BLOB_CHUNKS,
            opening: parts.opening
        });
        return Chunk.fromCell(parts.opening.chunk);
    }

    function _nextBlobRoot(uint32 next, Proof calldata parts) private view returns (bytes31) {
        bytes calldata element = parts.opening.next;
        BlobCell.verifyFirstElement(
            parts.dataWords[next / Limits.BLOB_CHUNKS], next % Limits.BLOB_CHUNKS, element
        );
        return bytes31(bytes32(element[0:32]) << 8);
    }

    function _nextCalldataRoot(uint32 next, Proof calldata parts) private pure returns (bytes31) {
        if (keccak256(parts.opening.next) != parts.dataWords[next]) {
            revert IFraudVerifier.WrongChunkData(next);
        }
        return Chunk.rootOf(parts.opening.next);
    }
}
