// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {P256} from "@openzeppelin/contracts/utils/cryptography/P256.sol";

import {IRegistry} from "./interfaces/IRegistry.sol";
import {Limits} from "./protocol/Limits.sol";

/// @notice Descriptors and slot words of docs/protocol.md §15.1.
library Descriptors {
    uint256 private constant HASH_MASK = ~uint256(type(uint64).max);
    uint32 internal constant OPEN_END = type(uint32).max;

    int32 private constant MAX_LAT = 900_000_000;
    int32 private constant MAX_LON = 1_800_000_000;

    function slotWord(bytes calldata descriptor, uint32 activeFrom) internal pure returns (bytes32) {
        return bytes32((uint256(keccak256(descriptor)) & HASH_MASK) | uint256(activeFrom) << 32 | OPEN_END);
    }

    function matches(bytes32 word, bytes calldata descriptor) internal pure returns (bool) {
        return (uint256(word) ^ uint256(keccak256(descriptor))) & HASH_MASK == 0;
    }

    function endsAt(bytes32 word) internal pure returns (uint32) {
        return uint32(uint256(word));
    }

    function withEndsAt(bytes32 word, uint32 ends) internal pure returns (bytes32) {
        return bytes32(uint256(word) >> 32 << 32 | ends);
    }

    /// @notice keyX 32 | keyY 32 | ratedW u24 | lat i32 | lon i32 | radiusM u16 | deposit u64
    function checkP256Evse(bytes calldata descriptor, uint32 slot) internal pure {
        if (!P256.isValidPublicKey(bytes32(descriptor[0:32]), bytes32(descriptor[32:64]))) {
            revert IRegistry.KeyNotOnCurve(slot);
        }
        if (uint24(bytes3(descriptor[64:67])) == 0) revert IRegistry.RatedPowerOutOfRange(slot);
        int32 lat = int32(uint32(bytes4(descriptor[67:71])));
        int32 lon = int32(uint32(bytes4(descriptor[71:75])));
        if (lat < -MAX_LAT || lat > MAX_LAT || lon < -MAX_LON || lon > MAX_LON) {
            revert IRegistry.PositionOutOfRange(slot);
        }
    }

    function deposit(bytes calldata evseDescriptor) internal pure returns (uint64) {
        return uint64(bytes8(evseDescriptor[77:85]));
    }

    /// @notice vehicle u64 | incentiveBps u16 | capacityWh u24 | vehicleKeyX 32 | vehicleKeyY 32
    function checkContract(bytes calldata descriptor, uint32 slot, uint16 maxIncentiveBps) internal pure {
        uint16 incentive = uint16(bytes2(descriptor[8:10]));
        if (incentive > maxIncentiveBps) revert IRegistry.IncentiveTooHigh(slot, incentive, maxIncentiveBps);
        uint24 capacity = uint24(bytes3(descriptor[10:13]));
        if (capacity == 0 || capacity >= Limits.MAX_CAPACITY_WH) revert IRegistry.CapacityOutOfRange(slot);
        (bytes32 x, bytes32 y) = (bytes32(descriptor[13:45]), bytes32(descriptor[45:77]));
        bool noKey = x == 0 && y == 0;
        if (!noKey && !P256.isValidPublicKey(x, y)) revert IRegistry.KeyNotOnCurve(slot);
    }

    function vehicle(bytes calldata contractDescriptor) internal pure returns (uint64) {
        return uint64(bytes8(contractDescriptor[0:8]));
    }
}
