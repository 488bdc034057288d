// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice SHA-256 trees of docs/protocol.md §6, as far as custody needs them.
library ClaimPath {
    function pair(bytes32 left, bytes32 right) internal pure returns (bytes32) {
        return sha256(abi.encodePacked(left, right));
    }

    /// @notice Root of the tree whose leaf `index` is `leaf`, by its siblings from the leaves up.
    function root(bytes32 leaf, uint256 index, bytes32[] calldata siblings)
        internal
        pure
        returns (bytes32 node)
    {
        node = leaf;
        for (uint256 level = 0; level < siblings.length; ++level) {
            node = (index >> level) & 1 == 0 ? pair(node, siblings[level]) : pair(siblings[level], node);
        }
    }

    /// @param laneHash H(laneLeaf, 0)
    function stateRoot(bytes32 evseRoot, bytes32 contractRoot, bytes32 laneHash)
        internal
        pure
        returns (bytes31)
    {
        return bytes31(pair(pair(evseRoot, contractRoot), laneHash));
    }
}
