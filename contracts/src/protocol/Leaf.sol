// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice The leaves of docs/protocol.md §6 as words, first field most significant. A packed field never outgrows its
/// width in a state that can be reached: counts are bounded by the intervals of u32 time, money by u96 funding.
struct EvseLeaf {
    uint256 lastEnd;
    uint256 sessionStart;
    uint256 lastMeterWh;
    uint256 count;
    uint256 lastContract;
}

struct ContractLeaf {
    /// micro
    uint256 credited;
    uint256 energyWh;
    uint256 count;
}

struct LaneLeaf {
    /// micro
    uint256 spent;
    uint256 energyWh;
    uint256 count;
    uint256 position;
}

library Leaf {
    /// lastEnd u32 | sessionStart u32 | lastMeterWh u40 | count u32 | lastContract u32 | 0…
    function toEvse(bytes32 leaf) internal pure returns (EvseLeaf memory) {
        uint256 word = uint256(leaf);
        return EvseLeaf({
            lastEnd: word >> 224,
            sessionStart: (word >> 192) & 0xffffffff,
            lastMeterWh: (word >> 152) & 0xffffffffff,
            count: (word >> 120) & 0xffffffff,
            lastContract: (word >> 88) & 0xffffffff
        });
    }

    function pack(EvseLeaf memory leaf) internal pure returns (bytes32) {
        return bytes32(
            leaf.lastEnd << 224 | leaf.sessionStart << 192 | leaf.lastMeterWh << 152 | leaf.count << 120
                | leaf.lastContract << 88
        );
    }

    /// credited u128 | energyWh u64 | count u32 | 0…
    function toContract(bytes32 leaf) internal pure returns (ContractLeaf memory) {
        uint256 word = uint256(leaf);
        return ContractLeaf({
            credited: word >> 128,
            energyWh: (word >> 64) & 0xffffffffffffffff,
            count: (word >> 32) & 0xffffffff
        });
    }

    function pack(ContractLeaf memory leaf) internal pure returns (bytes32) {
        return bytes32(leaf.credited << 128 | leaf.energyWh << 64 | leaf.count << 32);
    }

    /// spent u96 | energyWh u64 | count u48 | position u48
    function toLane(bytes32 leaf) internal pure returns (LaneLeaf memory) {
        uint256 word = uint256(leaf);
        return LaneLeaf({
            spent: word >> 160,
            energyWh: (word >> 96) & 0xffffffffffffffff,
            count: (word >> 48) & 0xffffffffffff,
            position: word & 0xffffffffffff
        });
    }

    function pack(LaneLeaf memory leaf) internal pure returns (bytes32) {
        return bytes32(leaf.spent << 160 | leaf.energyWh << 96 | leaf.count << 48 | leaf.position);
    }
}
