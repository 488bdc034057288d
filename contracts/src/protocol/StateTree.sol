// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IFraudVerifier} from "../interfaces/IFraudVerifier.sol";
import {Limits} from "./Limits.sol";
import {Sha256} from "./Sha256.sol";

/// @notice The leaves of one tree that a witness brings: `words` holds slot, leaf before and leaf after of each, by
/// strictly rising slot.
struct Nodes {
    uint256[] words;
}

/// @notice State roots and multiproofs (docs/protocol.md §6, §15.2). Every hash is SHA-256 over two words.
library StateTree {
    uint256 private constant NODE_WORDS = 3;
    uint256 private constant NODE_BYTES = 96;
    /// Slot and leaf, ahead of the descriptor.
    uint256 internal constant ENTRY_HEAD_BYTES = 36;
    uint256 internal constant NOT_FOUND = type(uint256).max;

    /// @notice H(H(evseRoot, contractRoot), laneHash) cut to 31 bytes; laneHash = H(laneLeaf, 0).
    function stateRoot(bytes32 evseRoot, bytes32 contractRoot, bytes32 laneHash)
        internal
        view
        returns (bytes31)
    {
        return bytes31(Sha256.pair(Sha256.pair(evseRoot, contractRoot), laneHash));
    }

    /// @notice The state root of all-zero leaves, which every lane begins with.
    function emptyStateRoot() internal view returns (bytes31) {
        bytes32 node = 0;
        for (uint256 level = 0; level < Limits.TREE_DEPTH; level++) {
            node = Sha256.pair(node, node);
        }
        return stateRoot(node, node, Sha256.pair(0, 0));
    }

    /// @notice The root above one leaf. `path`: 20 siblings, leaves first; the caller checks the length and the slot.
    function pathRoot(bytes32 leaf, uint256 slot, bytes32[] calldata path)
        internal
        view
        returns (bytes32 node)
    {
        node = leaf;
        for (uint256 level = 0; level < path.length; level++) {
            node = (slot >> level) & 1 == 0 ? Sha256.pair(node, path[level]) : Sha256.pair(path[level], node);
        }
    }

    function hashPair(bytes32 left, bytes32 right) internal view returns (bytes32) {
        return Sha256.pair(left, right);
    }

    /// @notice Reads a witness' entries, `slot u32 | leaf 32 | descriptor`.
    function load(bytes calldata entries, uint256 descriptorBytes)
        internal
        pure
        returns (Nodes memory nodes)
    {
        uint256 entryBytes = ENTRY_HEAD_BYTES + descriptorBytes;
        if (entries.length == 0) revert IFraudVerifier.EmptyTreeWitness();
        if (entries.length % entryBytes != 0) revert IFraudVerifier.WrongLength("entries", entries.length);
        uint256 count = entries.length / entryBytes;
        uint256[] memory words = new uint256[](count * NODE_WORDS);
        // One more than the slot before, so that slot 0 may come first.
        uint256 lowest = 0;
        for (uint256 i = 0; i < count; i++) {
            uint256 slot;
            uint256 leaf;
            assembly ("memory-safe") {
                let entry := add(entries.offset, mul(i, entryBytes))
                slot := shr(224, calldataload(entry))
                leaf := calldataload(add(entry, 4))
            }
            // casting to 'uint32' is safe because the slot was read from 4 bytes
            // forge-lint: disable-next-line(unsafe-typecast)
            if (slot >= Limits.MAX_SLOTS) revert IFraudVerifier.SlotOutOfRange(uint32(slot));
            // forge-lint: disable-next-line(unsafe-typecast)
            if (slot < lowest) revert IFraudVerifier.SlotsNotRising(uint32(slot));
            lowest = slot + 1;
            words[i * NODE_WORDS] = slot;
            words[i * NODE_WORDS + 1] = leaf;
            words[i * NODE_WORDS + 2] = leaf;
        }
        nodes.words = words;
    }

    /// @notice The position of a slot's entry, or NOT_FOUND.
    function find(Nodes memory nodes, uint256 slot) internal pure returns (uint256) {
        uint256[] memory words = nodes.words;
        uint256 low = 0;
        uint256 high = words.length / NODE_WORDS;
        while (low < high) {
            uint256 middle = (low + high) / 2;
            uint256 found = words[middle * NODE_WORDS];
            if (found == slot) return middle;
            if (found < slot) low = middle + 1;
            else high = middle;
        }
        return NOT_FOUND;
    }

    /// @notice The leaf as the records so far have left it.
    function current(Nodes memory nodes, uint256 position) internal pure returns (bytes32) {
        return bytes32(nodes.words[position * NODE_WORDS + 2]);
    }

    function update(Nodes memory nodes, uint256 position, bytes32 leaf) internal pure {
        nodes.words[position * NODE_WORDS + 2] = uint256(leaf);
    }

    /// @notice The tree's root before and after, out of one set of siblings: level by level from the leaves up, left to
    /// right, a node whose sibling is in the proof itself consuming none. Destroys the nodes.
    function roots(Nodes memory nodes, bytes calldata siblings)
        internal
        view
        returns (bytes32 pre, bytes32 post)
    {
        if (siblings.length % 32 != 0) revert IFraudVerifier.WrongLength("siblings", siblings.length);
        uint256[] memory words = nodes.words;
        bool done;
        uint256 consumed;
        // Twice 20 levels of up to 22 pairs of hashes: in plain Solidity this loop alone costs more than a million gas. Whether the
        // siblings sufficed and every hash had its gas is asked once, behind the loop.
        assembly ("memory-safe") {
            let first := add(words, 0x20)
            let end := add(first, shl(5, mload(words)))
            let sibling := siblings.offset
            done := 1

            for { let level := 0 } lt(level, 20) { level := add(level, 1) } {
                // Parents overwrite nodes already read: the writer never passes the reader, and the leaf after is read behind
                // the write of the parent before.
                let writer := first
                for { let reader := first } lt(reader, end) {} {
                    let slot := mload(reader)
                    let next := add(reader, NODE_BYTES)
                    switch and(slot, 1)
                    case 1 {
                        mstore(0, calldataload(sibling))
                        sibling := add(sibling, 0x20)
                        mstore(0x20, mload(add(reader, 0x20)))
                        done := and(done, staticcall(gas(), 2, 0, 0x40, add(writer, 0x20), 0x20))
                        mstore(0x20, mload(add(reader, 0x40)))
                    }
                    default {
                        mstore(0, mload(add(reader, 0x20)))
                        switch and(lt(next, end), eq(mload(next), add(slot, 1)))
                        case 1 {
                            mstore(0x20, mload(add(next, 0x20)))
                            done := and(done, staticcall(gas(), 2, 0, 0x40, add(writer, 0x20), 0x20))
                            mstore(0x20, mload(add(next, 0x40)))
                            next := add(next, NODE_BYTES)
                        }
                        default {
                            mstore(0x20, calldataload(sibling))
                            sibling := add(sibling, 0x20)
                            done := and(done, staticcall(gas(), 2, 0, 0x40, add(writer, 0x20), 0x20))
                        }
                        mstore(0, mload(add(reader, 0x40)))
                    }
                    done := and(done, staticcall(gas(), 2, 0, 0x40, add(writer, 0x40), 0x20))
                    mstore(writer, shr(1, slot))
                    writer := add(writer, NODE_BYTES)
                    reader := next
                }
                end := writer
            }
            consumed := sub(sibling, siblings.offset)
            pre := mload(add(first, 0x20))
            post := mload(add(first, 0x40))
        }
        if (!done) revert IFraudVerifier.PrecompileOutOfGas(address(2));
        if (consumed > siblings.length) revert IFraudVerifier.SiblingsMissing();
        if (consumed < siblings.length) revert IFraudVerifier.SiblingsLeftOver();
    }
}
