// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Witness} from "../interfaces/IFraudVerifier.sol";
import {Limits} from "../protocol/Limits.sol";
import {Scheme} from "../protocol/Scheme.sol";
import {StateTree} from "../protocol/StateTree.sol";

/// @notice Where things lie in a witness (docs/protocol.md §15.4). Nothing here is authenticated.
library WitnessEntries {
    /// @notice Of the `position`th EVSE of a lane of that scheme.
    function evseDescriptor(Witness calldata witness, uint8 scheme, uint256 position)
        internal
        pure
        returns (bytes calldata)
    {
        return _descriptor(witness.evses, position, Scheme.evseDescriptorBytes(scheme));
    }

    /// @notice Of the `position`th contract.
    function contractDescriptor(Witness calldata witness, uint256 position)
        internal
        pure
        returns (bytes calldata)
    {
        return _descriptor(witness.contracts, position, Limits.CONTRACT_DESCRIPTOR_BYTES);
    }

    /// @notice The table of the `position`th tariff version.
    function tariff(Witness calldata witness, uint256 position) internal pure returns (bytes calldata) {
        return witness.tariffs[position * Limits.TARIFF_BYTES:(position + 1) * Limits.TARIFF_BYTES];
    }

    function _descriptor(bytes calldata entries, uint256 position, uint256 length)
        private
        pure
        returns (bytes calldata)
    {
        uint256 entryEnd = (position + 1) * (StateTree.ENTRY_HEAD_BYTES + length);
        return entries[entryEnd - length:entryEnd];
    }
}
