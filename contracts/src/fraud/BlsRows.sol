// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {BlsSignature, Pairings} from "../bls/BlsSignature.sol";
import {Witness} from "../interfaces/IFraudVerifier.sol";
import {Chunk} from "../protocol/Chunk.sol";
import {EvseDescriptor} from "../protocol/Descriptor.sol";
import {Domain} from "../protocol/Domain.sol";
import {Limits} from "../protocol/Limits.sol";
import {Scheme} from "../protocol/Scheme.sol";
import {Item} from "./ChunkItem.sol";
import {WitnessEntries} from "./WitnessEntries.sol";

/// @notice The rows of a BLS lane's chunk: an aggregate, then records.
library BlsRows {
    using BlsSignature for Pairings;
    using WitnessEntries for Witness;

    function decode(bytes memory body) internal pure returns (Item[] memory items) {
        items = new Item[](Limits.BLS_CHUNK_RECORDS);
        for (uint256 i = 0; i < items.length; i++) {
            items[i].record = Chunk.blsRecord(body, i);
        }
    }

    /// @notice One verdict for all records that pass check 1: whether the aggregate is the sum of signatures of each under its
    /// EVSE's key.
    function verify(Item[] memory items, bytes memory body, bytes32 domain, Witness calldata witness)
        internal
        view
    {
        uint256 count = 0;
        for (uint256 i = 0; i < items.length; i++) {
            if (items[i].knownEvse) count++;
        }
        if (count == 0) return;

        Pairings memory pairings = BlsSignature.open(count);
        for (uint256 i = 0; i < items.length; i++) {
            Item memory item = items[i];
            if (!item.knownEvse) continue;
            bytes calldata descriptor = witness.evseDescriptor(Scheme.BLS, item.evseAt);
            bytes8 place = EvseDescriptor.place(descriptor, EvseDescriptor.BLS_KEY_BYTES);
            pairings.add(
                descriptor[:EvseDescriptor.BLS_KEY_BYTES], Domain.message(domain, item.record, place)
            );
        }
        bool valid = pairings.verify(Chunk.blsAggregate(body));
        for (uint256 i = 0; i < items.length; i++) {
            items[i].validSignature = valid && items[i].knownEvse;
        }
    }
}
