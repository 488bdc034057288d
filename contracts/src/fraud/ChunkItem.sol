// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IFraudVerifier, Witness} from "../interfaces/IFraudVerifier.sol";
import {IRegistry} from "../interfaces/IRegistry.sol";
import {SlotWord} from "../protocol/Descriptor.sol";
import {Limits} from "../protocol/Limits.sol";
import {Record} from "../protocol/Record.sol";
import {Settlement} from "../protocol/Settlement.sol";
import {Nodes, StateTree} from "../protocol/StateTree.sol";
import {WitnessEntries} from "./WitnessEntries.sol";

/// @notice One record of the chunk, what is known of it ahead of the others, and what became of it. A slot out of range has the
/// word of an empty one.
struct Item {
    Record record;
    bytes32 evseWord;
    bytes32 contractWord;
    /// Passes check 1.
    bool knownEvse;
    /// Where the witness has its EVSE; only if `knownEvse`.
    uint256 evseAt;
    bool validSignature;
    bool settled;
    /// micro, if it settled
    uint256 amount;
}

library ChunkItems {
    using StateTree for Nodes;
    using WitnessEntries for Witness;

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

    /// @notice Finds the EVSE of every record that passes check 1 in the witness, whose descriptor must be the slot's own.
    function locateEvses(Item[] memory items, uint8 scheme, Nodes memory evses, Witness calldata witness)
        internal
        pure
    {
        for (uint256 i = 0; i < items.length; i++) {
            Item memory item = items[i];
            if (!item.knownEvse) continue;
            uint256 slot = item.record.evse();
            item.evseAt = evses.find(slot);
            if (item.evseAt == StateTree.NOT_FOUND) revert IFraudVerifier.MissingEvse(uint32(slot));
            bytes32 descriptorHash = keccak256(witness.evseDescriptor(scheme, item.evseAt));
            if (!SlotWord.matches(item.evseWord, descriptorHash)) {
                revert IFraudVerifier.WrongDescriptor(uint32(slot));
            }
        }
    }

    function _inRange(uint256 slot) private pure returns (bool) {
        return slot < Limits.MAX_SLOTS;
    }
}
