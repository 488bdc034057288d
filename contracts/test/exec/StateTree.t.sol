// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IFraudVerifier} from "../../src/interfaces/IFraudVerifier.sol";
import {Nodes, StateTree} from "../../src/protocol/StateTree.sol";
import {Test} from "../base/Test.sol";
import {NaiveTree} from "./NaiveTree.sol";

contract TreeHarness {
    /// Roots of entries with an 8-byte descriptor, the leaf of entry i replaced by `changed[i]` unless that is zero.
    function roots(bytes calldata entries, bytes32[] calldata changed, bytes calldata siblings)
        external
        view
        returns (bytes32 pre, bytes32 post)
    {
        Nodes memory nodes = StateTree.load(entries, 8);
        for (uint256 i = 0; i < changed.length; i++) {
            if (changed[i] != 0) StateTree.update(nodes, i, changed[i]);
        }
        return StateTree.roots(nodes, siblings);
    }

    function find(bytes calldata entries, uint256 slot) external pure returns (uint256) {
        return StateTree.find(StateTree.load(entries, 8), slot);
    }

    function pathRoot(bytes32 leaf, uint256 slot, bytes32[] calldata path) external view returns (bytes32) {
        return StateTree.pathRoot(leaf, slot, path);
    }

    function emptyStateRoot() external view returns (bytes31) {
        return StateTree.emptyStateRoot();
    }
}

contract StateTreeTest is Test {
    TreeHarness internal harness = new TreeHarness();

    /// forge-config: default.fuzz.runs = 64
    function testFuzz_roots_equalNaive(uint256 seed, uint8 leafCount, uint8 provenMask) public view {
        uint32[] memory slots = _slots(seed, 1 + leafCount % 12);
        bytes32[] memory leaves = new bytes32[](slots.length);
        for (uint256 i = 0; i < slots.length; i++) {
            leaves[i] = keccak256(abi.encode(seed, "leaf", i));
        }
        uint32[] memory proven = _subset(slots, provenMask);

        bytes memory entries;
        bytes32[] memory changed = new bytes32[](proven.length);
        bytes32[] memory after_ = new bytes32[](slots.length);
        for (uint256 i = 0; i < slots.length; i++) {
            after_[i] = leaves[i];
        }
        for (uint256 i = 0; i < proven.length; i++) {
            uint256 at_ = _indexOf(slots, proven[i]);
            entries = abi.encodePacked(entries, proven[i], leaves[at_], uint64(i));
            if ((seed >> i) & 1 == 0) continue;
            changed[i] = keccak256(abi.encode(seed, "changed", i));
            after_[at_] = changed[i];
        }
        bytes memory siblings = NaiveTree.siblings(slots, leaves, proven);
        (bytes32 pre, bytes32 post) = harness.roots(entries, changed, siblings);
        assertEq(pre, NaiveTree.root(slots, leaves));
        assertEq(post, NaiveTree.root(slots, after_));
        for (uint256 i = 0; i < proven.length; i++) {
            assertEq(harness.find(entries, proven[i]), i);
        }
        assertEq(harness.find(entries, 1 << 20), StateTree.NOT_FOUND);
    }

    function test_roots_neighboursShareTheirParent() public view {
        uint32[] memory slots = new uint32[](2);
        (slots[0], slots[1]) = (2, 3);
        bytes32[] memory leaves = new bytes32[](2);
        (leaves[0], leaves[1]) = (keccak256("a"), keccak256("b"));
        bytes memory siblings = NaiveTree.siblings(slots, leaves, slots);
        assertEq(siblings.length, 19 * 32);
        bytes memory entries =
            abi.encodePacked(slots[0], leaves[0], uint64(0), slots[1], leaves[1], uint64(0));
        (bytes32 pre, bytes32 post) = harness.roots(entries, new bytes32[](2), siblings);
        assertEq(pre, NaiveTree.root(slots, leaves));
        assertEq(post, pre);
    }

    function test_pathRoot_equalsNaive() public view {
        uint32[] memory slots = _slots(5, 6);
        bytes32[] memory leaves = new bytes32[](6);
        for (uint256 i = 0; i < 6; i++) {
            leaves[i] = keccak256(abi.encode(i));
        }
        uint32[] memory one = new uint32[](1);
        one[0] = slots[3];
        bytes memory siblings = NaiveTree.siblings(slots, leaves, one);
        bytes32[] memory path =
            abi.decode(bytes.concat(bytes32(uint256(32)), bytes32(uint256(20)), siblings), (bytes32[]));
        assertEq(harness.pathRoot(leaves[3], slots[3], path), NaiveTree.root(slots, leaves));
        assertNotEq(harness.pathRoot(leaves[3], slots[3] ^ 1, path), NaiveTree.root(slots, leaves));
    }

    function test_emptyStateRoot_equalsNaive() public view {
        bytes32 zero = NaiveTree.zeros()[20];
        assertEq(bytes32(harness.emptyStateRoot()), bytes32(NaiveTree.stateRoot(zero, zero, 0)));
    }

    /// Starved, the SHA-256 precompile fails, and the root with it.
    function test_roots_gasSweep_revertsOrIsRight() public view {
        uint32[] memory slots = _slots(9, 3);
        bytes32[] memory leaves = new bytes32[](3);
        bytes memory entries;
        for (uint256 i = 0; i < 3; i++) {
            entries = abi.encodePacked(entries, slots[i], leaves[i], uint64(0));
        }
        bytes memory siblings = NaiveTree.siblings(slots, leaves, slots);
        bytes32 expected = NaiveTree.root(slots, leaves);
        uint256 passed;
        for (uint256 gas_ = 1000; gas_ < 80_000; gas_ += 313) {
            try harness.roots{gas: gas_}(entries, new bytes32[](3), siblings) returns (bytes32 pre, bytes32) {
                assertEq(pre, expected);
                passed++;
            } catch {}
        }
        assertGt(passed, 10);
    }

    /// Distinct rising slots, some of them neighbours.
    function _slots(uint256 seed, uint256 count) internal pure returns (uint32[] memory slots) {
        slots = new uint32[](count);
        uint32 next = uint32(seed % 3);
        for (uint256 i = 0; i < count; i++) {
            slots[i] = next;
            uint256 dice = uint256(keccak256(abi.encode(seed, i)));
            next += dice % 3 == 0 ? 1 : uint32(1 + (dice >> 8) % 80_000);
        }
    }

    function _subset(uint32[] memory slots, uint8 mask) internal pure returns (uint32[] memory subset) {
        subset = new uint32[](slots.length);
        uint256 count;
        for (uint256 i = 0; i < slots.length; i++) {
            if (mask >> (i % 8) & 1 == 1) subset[count++] = slots[i];
        }
        if (count == 0) subset[count++] = slots[0];
        assembly ("memory-safe") {
            mstore(subset, count)
        }
    }

    function _indexOf(uint32[] memory slots, uint32 slot) internal pure returns (uint256) {
        for (uint256 i = 0; i < slots.length; i++) {
            if (slots[i] == slot) return i;
        }
        revert IFraudVerifier.SlotOutOfRange(slot);
    }
}
