// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice A forced queue's entry word (docs/protocol.md §15.6): 224 bits of a hash chain ‖ queuedAt u32. Entry word 0 is zero.
library EntryWord {
    /// @notice The word after an entry; the word before it is part of the hash with its time.
    function next(bytes32 word, bytes24 record, uint32 time) internal pure returns (bytes32) {
        uint256 hash = uint256(keccak256(abi.encodePacked(word, record)));
        return bytes32((hash & ~uint256(type(uint32).max)) | time);
    }

    /// @notice Seconds.
    function queuedAt(bytes32 word) internal pure returns (uint256) {
        return uint32(uint256(word));
    }
}
