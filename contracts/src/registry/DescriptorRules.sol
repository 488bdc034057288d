// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {P256} from "@openzeppelin/contracts/utils/cryptography/P256.sol";

import {BlsSignature} from "../bls/BlsSignature.sol";
import {IRegistry} from "../interfaces/IRegistry.sol";
import {ContractDescriptor, EvseDescriptor} from "../protocol/Descriptor.sol";
import {Limits} from "../protocol/Limits.sol";

/// @notice What a descriptor must hold to be registered (docs/protocol.md §3). Widths bound the rest: a rated power of three
/// bytes is below MAX_RATED_W.
library DescriptorRules {
    int32 private constant MAX_LAT = 900_000_000;
    int32 private constant MAX_LON = 1_800_000_000;

    function checkP256Evse(bytes calldata descriptor, uint32 slot) internal pure {
        if (!P256.isValidPublicKey(bytes32(descriptor[0:32]), bytes32(descriptor[32:64]))) {
            revert IRegistry.KeyNotOnCurve(slot);
        }
        _checkEvse(descriptor, EvseDescriptor.P256_KEY_BYTES, slot);
    }

    /// @param possession 192 bytes
    function checkBlsEvse(bytes calldata descriptor, bytes calldata possession, uint32 slot) internal view {
        if (!BlsSignature.verifyPossession(descriptor[:EvseDescriptor.BLS_KEY_BYTES], possession)) {
            revert IRegistry.BadPossession(slot);
        }
        _checkEvse(descriptor, EvseDescriptor.BLS_KEY_BYTES, slot);
    }

    function checkContract(bytes calldata descriptor, uint32 slot, uint16 maxIncentiveBps) internal pure {
        uint256 incentive = ContractDescriptor.incentiveBps(descriptor);
        if (incentive > maxIncentiveBps) {
            revert IRegistry.IncentiveTooHigh(slot, uint16(incentive), maxIncentiveBps);
        }
        uint256 capacity = ContractDescriptor.capacityWh(descriptor);
        if (capacity == 0 || capacity >= Limits.MAX_CAPACITY_WH) revert IRegistry.CapacityOutOfRange(slot);
        (bytes32 x, bytes32 y) = ContractDescriptor.vehicleKey(descriptor);
        bool noKey = x == 0 && y == 0;
        if (!noKey && !P256.isValidPublicKey(x, y)) revert IRegistry.KeyNotOnCurve(slot);
    }

    /// Everything but the key.
    function _checkEvse(bytes calldata descriptor, uint256 keyBytes, uint32 slot) private pure {
        if (EvseDescriptor.ratedW(descriptor, keyBytes) == 0) revert IRegistry.RatedPowerOutOfRange(slot);
        int32 lat = EvseDescriptor.lat(descriptor, keyBytes);
        int32 lon = EvseDescriptor.lon(descriptor, keyBytes);
        if (lat < -MAX_LAT || lat > MAX_LAT || lon < -MAX_LON || lon > MAX_LON) {
            revert IRegistry.PositionOutOfRange(slot);
        }
    }
}
