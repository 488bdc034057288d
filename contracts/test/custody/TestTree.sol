// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice A depth-20 SHA-256 tree of which the first few leaves are given and the rest zero, hashed the plain way.
library TestTree {
    uint256 private constant DEPTH = 20;

    function pair(bytes32 left, bytes32 right) internal pure returns (bytes32) {
        return sha256(bytes.concat(left, right));
    }

    function root(bytes32[] memory leaves) internal pure returns (bytes32) {
        (bytes32 top,) = walk(leaves, 0);
        return top;
    }

    function path(bytes32[] memory leaves, uint256 index) internal pure returns (bytes32[] memory siblings) {
        (, siblings) = walk(leaves, index);
    }

    function walk(bytes32[] memory leaves, uint256 index)
        internal
        pure
        returns (bytes32 top, bytes32[] memory siblings)
    {
        siblings = new bytes32[](DEPTH);
        bytes32 zero = 0;
        for (uint256 level = 0; level < DEPTH; ++level) {
            uint256 sibling = index ^ 1;
            siblings[level] = sibling < leaves.length ? leaves[sibling] : zero;
            bytes32[] memory above = new bytes32[]((leaves.length + 1) / 2);
            for (uint256 i = 0; i < above.length; ++i) {
                above[i] = pair(leaves[2 * i], 2 * i + 1 < leaves.length ? leaves[2 * i + 1] : zero);
            }
            (leaves, index, zero) = (above, index / 2, pair(zero, zero));
        }
        top = leaves[0];
    }
}
