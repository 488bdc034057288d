// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IForcedQueue} from "../interfaces/IForcedQueue.sol";
import {IRollup} from "../interfaces/IRollup.sol";
import {EntryWord} from "../protocol/EntryWord.sol";
import {Header} from "../protocol/Header.sol";
import {Limits} from "../protocol/Limits.sol";
import {Scheme} from "../protocol/Scheme.sol";

/// @notice What a batch must take of its lane's forced queue, and who else may post it (docs/protocol.md §10, §15.6).
library ForcedRule {
    using EntryWord for bytes32;

    /// @notice Fills in the header's forced fields: it takes the entries from `start` up to header.forcedEnd.
    function take(Header memory header, IForcedQueue queue, uint64 start, uint8 scheme) internal view {
        uint64 end = header.forcedEnd;
        if (end < start) revert IRollup.ForcedEndBehind(end, start);
        uint64 entries = end - start;
        if (entries > Limits.FORCED_BATCH_ENTRIES) {
            revert IRollup.TooManyForcedEntries(entries, Limits.FORCED_BATCH_ENTRIES);
        }
        (bytes32 startWord, bytes32 endWord, bytes32 next) = queue.wordsAround(header.lane, start, end);
        if (end != 0 && endWord == 0) revert IRollup.NoForcedEntry(end);
        // A clock that is hours old could stand before a record's end, and so lose it (§5, check 3).
        if (entries != 0 && header.asOf < endWord.queuedAt()) {
            revert IRollup.ForcedEntryAhead(header.asOf, endWord.queuedAt());
        }
        if (entries < Limits.FORCED_BATCH_ENTRIES && _isOlder(next, Limits.FORCED_DUE_SECONDS)) {
            revert IRollup.ForcedEntryDue(end, next.queuedAt());
        }

        uint256 perChunk = Scheme.chunkRecords(scheme);
        header.forcedStart = start;
        header.forcedStartHash = startWord;
        header.forcedEndHash = endWord;
        header.forcedChunks = uint32((entries + perChunk - 1) / perChunk);
        if (header.forcedChunks > header.chunkCount) {
            revert IRollup.TooManyForcedChunks(header.forcedChunks, header.chunkCount);
        }
    }

    /// @notice Reverts unless a submitter who is not the lane's operator may post this: forced chunks alone, on a lane whose
    /// operator can't post or let an entry wait too long.
    function requireForeignMay(Header memory header, IForcedQueue queue, bool operatorBonded) internal view {
        if (operatorBonded) {
            bytes32 oldest = queue.wordAt(header.lane, header.forcedStart + 1);
            if (!_isOlder(oldest, Limits.FORCED_OPEN_SECONDS)) {
                revert IRollup.NotOperator(header.lane, header.submitter);
            }
        }
        if (header.forcedChunks != header.chunkCount) {
            revert IRollup.NotForcedOnly(header.forcedChunks, header.chunkCount);
        }
    }

    function _isOlder(bytes32 word, uint256 age) private view returns (bool) {
        return word != 0 && block.timestamp > word.queuedAt() + age;
    }
}
