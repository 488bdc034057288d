// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice What a batch claims. Identified by `HeaderLib.hash`; see docs/protocol.md §15.3.
struct Header {
    uint32 lane;
    uint64 index;
    bytes32 parentHash;
    /// State root after the batch's last chunk.
    bytes31 postRoot;
    /// The one clock of §2, seconds.
    uint32 asOf;
    /// The L1 block the batch was built on.
    uint64 l1Block;
    bytes32 l1Hash;
    uint64 forcedStart;
    bytes32 forcedStartHash;
    uint64 forcedEnd;
    bytes32 forcedEndHash;
    /// 0 blob, 1 calldata.
    uint8 dataKind;
    uint32 chunkCount;
    uint32 forcedChunks;
    /// keccak256 of the concatenated data words.
    bytes32 dataHash;
    address submitter;
}

library HeaderLib {
    uint8 internal constant BLOB = 0;
    uint8 internal constant CALLDATA = 1;

    function hash(Header memory header) internal pure returns (bytes32) {
        return keccak256(abi.encode(header));
    }

    /// @notice The ring's word: 224 bits of the header's hash and the time of submission.
    function ringWord(bytes32 headerHash, uint32 submittedAt) internal pure returns (bytes32) {
        return bytes32((uint256(headerHash) & ~uint256(type(uint32).max)) | submittedAt);
    }
}
