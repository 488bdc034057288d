// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice A registry slot: descriptorHash(192 bits) ‖ activeFrom u32 ‖ endsAt u32 (docs/protocol.md §3). Zero is empty.
library SlotWord {
    function pack(bytes32 descriptorHash, uint32 from, uint32 to) internal pure returns (bytes32) {
        return bytes32((uint256(descriptorHash) >> 64 << 64) | (uint256(from) << 32) | to);
    }

    function matches(bytes32 word, bytes32 descriptorHash) internal pure returns (bool) {
        return uint256(word) >> 64 == uint256(descriptorHash) >> 64;
    }

    function activeFrom(bytes32 word) internal pure returns (uint256) {
        return (uint256(word) >> 32) & 0xffffffff;
    }

    function endsAt(bytes32 word) internal pure returns (uint256) {
        return uint256(word) & 0xffffffff;
    }
}

/// @notice keyX 32 | keyY 32 | ratedW u24 | lat i32 | lon i32 | radiusM u16 | deposit u64, 85 bytes; a BLS lane has
/// keyX 64 | keyY 64 in place of the key, 149 bytes. Every reader takes the offset at which the key ends.
library EvseDescriptor {
    uint256 internal constant P256_KEY_BYTES = 64;
    uint256 internal constant BLS_KEY_BYTES = 128;
    /// All but the key.
    uint256 internal constant TAIL_BYTES = 21;

    function ratedW(bytes calldata descriptor, uint256 keyBytes) internal pure returns (uint256) {
        return uint24(bytes3(descriptor[keyBytes:keyBytes + 3]));
    }

    /// @notice lat ‖ lon, as they are signed.
    function place(bytes calldata descriptor, uint256 keyBytes) internal pure returns (bytes8) {
        return bytes8(descriptor[keyBytes + 3:keyBytes + 11]);
    }

    function lat(bytes calldata descriptor, uint256 keyBytes) internal pure returns (int32) {
        return int32(uint32(bytes4(descriptor[keyBytes + 3:keyBytes + 7])));
    }

    function lon(bytes calldata descriptor, uint256 keyBytes) internal pure returns (int32) {
        return int32(uint32(bytes4(descriptor[keyBytes + 7:keyBytes + 11])));
    }

    function radiusM(bytes calldata descriptor, uint256 keyBytes) internal pure returns (uint256) {
        return uint16(bytes2(descriptor[keyBytes + 11:keyBytes + 13]));
    }

    /// @notice micro
    function deposit(bytes calldata descriptor, uint256 keyBytes) internal pure returns (uint256) {
        return uint64(bytes8(descriptor[keyBytes + 13:keyBytes + 21]));
    }
}

/// @notice vehicle u64 | incentiveBps u16 | capacityWh u24 | vehicleKeyX 32 | vehicleKeyY 32, 77 bytes.
library ContractDescriptor {
    function vehicle(bytes calldata descriptor) internal pure returns (uint64) {
        return uint64(bytes8(descriptor[0:8]));
    }

    function incentiveBps(bytes calldata descriptor) internal pure returns (uint256) {
        return uint16(bytes2(descriptor[8:10]));
    }

    function capacityWh(bytes calldata descriptor) internal pure returns (uint256) {
        return uint24(bytes3(descriptor[10:13]));
    }

    function vehicleKey(bytes calldata descriptor) internal pure returns (bytes32 x, bytes32 y) {
        return (bytes32(descriptor[13:45]), bytes32(descriptor[45:77]));
    }
}
