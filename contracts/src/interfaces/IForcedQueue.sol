// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice Records that L1 makes a lane take (docs/protocol.md §10, §15.6). Entries are never removed.
interface IForcedQueue {
    /// Entry `index` counts from 0; `word` is the entry word after it.
    event RecordForced(
        uint32 indexed lane, uint64 indexed index, bytes24 record, uint32 queuedAt, bytes32 word, address from
    );

    error WrongFee(uint256 given, uint256 fee);
    error EmptyRecord();
    error SlotEmpty(uint32 slot);
    error WrongDescriptor(uint32 slot);
    error BadSignature();
    error FeeNotBurned();

    /// @notice Appends a record to the lane's queue.
    /// @param descriptor of the record's EVSE, authenticated by its slot's word
    /// @param signature r ‖ s, or 192 bytes in the order of docs/protocol.md §15.5 on a BLS lane
    function forceRecord(uint32 lane, bytes24 record, bytes calldata descriptor, bytes calldata signature)
        external
        payable
        returns (uint64 index);
    function length(uint32 lane) external view returns (uint64);
    /// @notice The entry word after `count` entries; zero for none and for entries that aren't there yet.
    function wordAt(uint32 lane, uint64 count) external view returns (bytes32);
    /// @notice What a batch that takes the entries `start` to `end` − 1 needs: the entry words `start` and `end`, and the word
    /// after the entry that it leaves next, zero if there is none. All of them as `wordAt` gives them.
    function wordsAround(uint32 lane, uint64 start, uint64 end)
        external
        view
        returns (bytes32 startWord, bytes32 endWord, bytes32 nextWord);
}
