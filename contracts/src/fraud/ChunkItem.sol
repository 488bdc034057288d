// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IRegistry} from "../interfaces/IRegistry.sol";
import {Limits} from "../protocol/Limits.sol";
import {Record} from "../protocol/Record.sol";
import {Settlement} from "../protocol/Settlement.sol";

/// @notice One record of the chunk and what is known of it ahead of the others. A slot out of range has the word of an empty one.
struct Item {
    Record record;
    bytes32 evseWord;
    bytes32 contractWord;
    /// Passes check 1.
    bool knownEvse;
    /// Where the witness has its EVSE; only if `knownEvse`.
    uint256 evseAt;
    bool validSignature;
}

library ChunkItems {
    /// @notice Fetches the slots of all records at once, and takes check 1; registries know only slots in range.
    function fetchWords(Item[] memory items, IRegistry registry, uint32 lane, uint256 asOf) internal view {
        uint32[] memory evseSlots = new uint32[](items.length);
        uint32[] memory contractSlots = new uint32[](items.length);
        uint256 evseCount;
        uint256 contractCount;
        for (uint256 i = 0; i < items.length; i++) {
            Record record = items[i].record;
            if (record.isEmpty()) continue;
            if (_inRange(record.evse())) evseSlots[evseCount++] = uint32(record.evse());
            if (_inRange(record.contractSlot())) {
                contractSlots[contractCount++] = uint32(record.contractSlot());
            }
        }
        assembly ("memory-safe") {
            mstore(evseSlots, evseCount)
            mstore(contractSlots, contractCount)
        }
        bytes32[] memory evseWords = registry.evseWords(lane, evseSlots);
        bytes32[] memory contractWords = registry.contractWords(lane, contractSlots);
        evseCount = 0;
        contractCount = 0;
        for (uint256 i = 0; i < items.length; i++) {
            Item memory item = items[i];
            if (item.record.isEmpty()) continue;
            if (_inRange(item.record.evse())) item.evseWord = evseWords[evseCount++];
            if (_inRange(item.record.contractSlot())) item.contractWord = contractWords[contractCount++];
            item.knownEvse = Settlement.active(item.evseWord, item.record, asOf);
        }
    }

    function _inRange(uint256 slot) private pure returns (bool) {
        return slot < Limits.MAX_SLOTS;
    }
}
