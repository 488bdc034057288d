// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Witness} from "../interfaces/IFraudVerifier.sol";
import {Chunk} from "../protocol/Chunk.sol";
import {EvseDescriptor} from "../protocol/Descriptor.sol";
import {Domain} from "../protocol/Domain.sol";
import {Limits} from "../protocol/Limits.sol";
import {P256} from "../protocol/P256.sol";
import {Scheme} from "../protocol/Scheme.sol";
import {Item} from "./ChunkItem.sol";
import {WitnessEntries} from "./WitnessEntries.sol";

/// @notice The rows of a P-256 lane's chunk, record ‖ signature.
library P256Rows {
    using WitnessEntries for Witness;

    function decode(bytes memory body) internal pure returns (Item[] memory items) {
        items = new Item[](Limits.P256_CHUNK_RECORDS);
        for (uint256 i = 0; i < items.length; i++) {
            items[i].record = Chunk.p256Record(body, i);
        }
    }

    /// @notice Verdicts on the signatures of all records that pass check 1, each under its EVSE's own key.
    function verify(Item[] memory items, bytes memory body, bytes32 domain, Witness calldata witness)
        internal
        view
    {
        for (uint256 i = 0; i < items.length; i++) {
            Item memory item = items[i];
            if (!item.knownEvse) continue;
            bytes calldata descriptor = witness.evseDescriptor(Scheme.P256, item.evseAt);
            bytes32 digest = Domain.digest(
                domain, item.record, EvseDescriptor.place(descriptor, EvseDescriptor.P256_KEY_BYTES)
            );
            (bytes32 r, bytes32 s) = Chunk.p256Signature(body, i);
            item.validSignature =
                P256.verify(digest, r, s, bytes32(descriptor[0:32]), bytes32(descriptor[32:64]));
        }
    }
}
