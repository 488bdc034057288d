// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IForcedQueue} from "../interfaces/IForcedQueue.sol";
import {IFraudVerifier} from "../interfaces/IFraudVerifier.sol";
import {EntryWord} from "../protocol/EntryWord.sol";
import {Header} from "../protocol/Header.sol";
import {Record} from "../protocol/Record.sol";
import {Scheme} from "../protocol/Scheme.sol";
import {Item} from "./ChunkItem.sol";

/// @notice The records of a forced chunk: entries of the lane's queue, which holds only what their EVSEs signed
/// (docs/protocol.md §10, §15.4, §15.6).
library ForcedEntries {
    /// record 24 | queuedAt u32
    uint256 private constant ENTRY_BYTES = 28;
    uint256 private constant RECORD_BYTES = 24;

    /// @notice The chunk's entries, which must lead from the queue's word before them to the one after them.
    function decode(
        IForcedQueue queue,
        Header memory header,
        uint32 chunk,
        uint8 scheme,
        bytes calldata entries
    ) internal view returns (Item[] memory items) {
        uint64 from = header.forcedStart + uint64(chunk * Scheme.chunkRecords(scheme));
        uint64 to = from + uint64(Scheme.chunkRecords(scheme));
        if (to > header.forcedEnd) to = header.forcedEnd;
        items = new Item[](to - from);
        if (entries.length != items.length * ENTRY_BYTES) {
            revert IFraudVerifier.WrongLength("forced", entries.length);
        }
        bytes32 word = queue.wordAt(header.lane, from);
        for (uint256 i = 0; i < items.length; i++) {
            bytes calldata entry = entries[i * ENTRY_BYTES:(i + 1) * ENTRY_BYTES];
            bytes24 record = bytes24(entry);
            items[i].record = Record.wrap(uint192(record));
            word = EntryWord.next(word, record, uint32(bytes4(entry[RECORD_BYTES:])));
        }
        if (word != queue.wordAt(header.lane, to)) revert IFraudVerifier.WrongForcedEntries(from, to);
    }

    /// @notice L1 took no entry without a valid signature under its slot's key.
    function verify(Item[] memory items) internal pure {
        for (uint256 i = 0; i < items.length; i++) {
            items[i].validSignature = items[i].knownEvse;
        }
    }
}
