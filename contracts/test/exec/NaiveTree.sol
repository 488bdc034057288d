// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice The state tree by its definition: every node from its two children, down to the leaves.
library NaiveTree {
    uint256 internal constant DEPTH = 20;

    function root(uint32[] memory slots, bytes32[] memory leaves) internal pure returns (bytes32) {
        return node(slots, leaves, zeros(), DEPTH, 0);
    }

    function node(
        uint32[] memory slots,
        bytes32[] memory leaves,
        bytes32[] memory zero,
        uint256 level,
        uint256 index
    ) internal pure returns (bytes32) {
        uint256 inside = slots.length;
        for (uint256 i = 0; i < slots.length; i++) {
            if (slots[i] >> level == index) {
                inside = i;
                break;
            }
        }
        if (inside == slots.length) return zero[level];
        if (level == 0) return leaves[inside];
        return sha256(
            abi.encodePacked(
                node(slots, leaves, zero, level - 1, 2 * index),
                node(slots, leaves, zero, level - 1, 2 * index + 1)
            )
        );
    }

    /// The root of an empty subtree of each height.
    function zeros() internal pure returns (bytes32[] memory zero) {
        zero = new bytes32[](DEPTH + 1);
        for (uint256 level = 1; level <= DEPTH; level++) {
            zero[level] = sha256(abi.encodePacked(zero[level - 1], zero[level - 1]));
        }
    }

    /// The siblings of §15.2 for the leaves at `proven`, rising.
    function siblings(uint32[] memory slots, bytes32[] memory leaves, uint32[] memory proven)
        internal
        pure
        returns (bytes memory out)
    {
        bytes32[] memory zero = zeros();
        uint256[] memory known = new uint256[](proven.length);
        for (uint256 i = 0; i < proven.length; i++) {
            known[i] = proven[i];
        }
        uint256 count = known.length;
        for (uint256 level = 0; level < DEPTH; level++) {
            uint256 parents = 0;
            for (uint256 i = 0; i < count; i++) {
                bool paired = false;
                for (uint256 j = 0; j < count; j++) {
                    paired = paired || known[j] == known[i] ^ 1;
                }
                if (!paired) out = bytes.concat(out, node(slots, leaves, zero, level, known[i] ^ 1));
            }
            for (uint256 i = 0; i < count; i++) {
                uint256 parent = known[i] >> 1;
                if (parents == 0 || known[parents - 1] != parent) known[parents++] = parent;
            }
            count = parents;
        }
    }

    function stateRoot(bytes32 evseRoot, bytes32 contractRoot, bytes32 laneLeaf)
        internal
        pure
        returns (bytes31)
    {
        bytes32 trees = sha256(abi.encodePacked(evseRoot, contractRoot));
        return bytes31(sha256(abi.encodePacked(trees, sha256(abi.encodePacked(laneLeaf, bytes32(0))))));
    }
}
