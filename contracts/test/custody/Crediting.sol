// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Claim, RootParts} from "../../src/interfaces/IVault.sol";
import {Header} from "../../src/protocol/Header.sol";
import {Enrolment} from "./Enrolment.sol";
import {TestTree} from "./TestTree.sol";

/// @notice States of a lane in which contracts have credit, and claims against them.
abstract contract Crediting is Enrolment {
    bytes32 internal constant EVSE_ROOT = keccak256("some EVSE root");

    /// Enrolled contracts, by slot.
    bytes[] internal descriptors;
    address[] internal owners;

    function _enrolDrivers(uint256 count) internal {
        for (uint256 i = 0; i < count; ++i) {
            (address owner, uint256 key) =
                makeAddrAndKey(string.concat("driver ", vm.toString(descriptors.length)));
            (, bytes memory descriptor) = _enrol(owner, key);
            descriptors.push(descriptor);
            owners.push(owner);
        }
    }

    function _leaf(uint256 credited) internal pure returns (bytes32) {
        return bytes32(credited << 128 | uint256(12_345) << 64 | uint256(3) << 32);
    }

    function _leaves(uint256[] memory credits) internal pure returns (bytes32[] memory leaves) {
        leaves = new bytes32[](credits.length);
        for (uint256 i = 0; i < credits.length; ++i) {
            leaves[i] = _leaf(credits[i]);
        }
    }

    function _laneLeaf(uint256 spent) internal pure returns (bytes32) {
        return bytes32(spent << 160 | uint256(1_000_000) << 96 | uint256(9) << 48 | 11);
    }

    function _sum(uint256[] memory credits) internal pure returns (uint256 sum) {
        for (uint256 i = 0; i < credits.length; ++i) {
            sum += credits[i];
        }
    }

    function _root(uint256[] memory credits, uint256 spent) internal pure returns (bytes31) {
        bytes32 trees = TestTree.pair(EVSE_ROOT, TestTree.root(_leaves(credits)));
        return bytes31(TestTree.pair(trees, TestTree.pair(_laneLeaf(spent), 0)));
    }

    /// @notice Posts a batch after which slot i's contract has credits[i].
    function _postCredits(uint256[] memory credits) internal returns (Header memory) {
        return _postRoot(lane, _root(credits, _sum(credits)));
    }

    function _parts(uint256[] memory credits) internal pure returns (RootParts memory) {
        return RootParts(EVSE_ROOT, TestTree.pair(_laneLeaf(_sum(credits)), 0));
    }

    function _claim(uint256[] memory credits, uint32 slot) internal view returns (Claim memory) {
        return Claim({
            slot: slot,
            descriptor: descriptors[slot],
            leaf: _leaf(credits[slot]),
            path: TestTree.path(_leaves(credits), slot)
        });
    }

    function _claims(uint256[] memory credits) internal view returns (Claim[] memory claims) {
        claims = new Claim[](credits.length);
        for (uint32 slot = 0; slot < claims.length; ++slot) {
            claims[slot] = _claim(credits, slot);
        }
    }
}
