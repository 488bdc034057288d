// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IFraudVerifier, Witness} from "../interfaces/IFraudVerifier.sol";
import {Chunk} from "../protocol/Chunk.sol";
import {EvseDescriptor, SlotWord} from "../protocol/Descriptor.sol";
import {Domain} from "../protocol/Domain.sol";
import {Limits} from "../protocol/Limits.sol";
import {P256} from "../protocol/P256.sol";
import {Nodes, StateTree} from "../protocol/StateTree.sol";
import {Item} from "./ChunkItem.sol";
import {WitnessEntries} from "./WitnessEntries.sol";

/// @notice The rows of a P-256 lane's chunk, record ‖ signature. Another scheme would have its own library in this place: the
/// replay asks only for the verdicts.
library P256Rows {
    using StateTree for Nodes;
    using WitnessEntries for Witness;

    function decode(bytes memory body) internal pure returns (Item[] memory items) {
        items = new Item[](Limits.P256_CHUNK_RECORDS);
        for (uint256 i = 0; i < items.length; i++) {
            items[i].record = Chunk.p256Record(body, i);
        }
    }

    /// @notice Verdicts on the signatures of all records that pass check 1, each under its EVSE's own key.
    function verify(
        Item[] memory items,
        bytes memory body,
        bytes32 domain,
        Nodes memory evses,
        Witness calldata witness
    ) internal view {
        for (uint256 i = 0; i < items.length; i++) {
            Item memory item = items[i];
            if (!item.knownEvse) continue;
            bytes calldata descriptor = _evse(item, evses, witness);
            bytes32 digest = Domain.digest(
                domain, item.record, EvseDescriptor.place(descriptor, EvseDescriptor.P256_KEY_BYTES)
            );
            (bytes32 r, bytes32 s) = Chunk.p256Signature(body, i);
            item.validSignature =
                P256.verify(digest, r, s, bytes32(descriptor[0:32]), bytes32(descriptor[32:64]));
        }
    }

    /// The descriptor of a record's EVSE, authenticated by the slot's word.
    function _evse(Item memory item, Nodes memory evses, Witness calldata witness)
        private
        pure
        returns (bytes calldata descriptor)
    {
        uint256 slot = item.record.evse();
        item.evseAt = evses.find(slot);
        if (item.evseAt == StateTree.NOT_FOUND) revert IFraudVerifier.MissingEvse(uint32(slot));
        descriptor = witness.evseDescriptor(item.evseAt);
        if (!SlotWord.matches(item.evseWord, keccak256(descriptor))) {
            revert IFraudVerifier.WrongDescriptor(uint32(slot));
        }
    }
}
