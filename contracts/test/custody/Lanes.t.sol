// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IRollup, LaneInfo} from "../../src/interfaces/IRollup.sol";
import {Header, HeaderLib} from "../../src/protocol/Header.sol";
import {StateTree} from "../../src/protocol/StateTree.sol";
import {Fixture} from "./Fixture.sol";

contract LanesTest is Fixture {
    function test_genesisRoot_isRootOfEmptyTrees() public view {
        assertEq(bytes32(rollup.GENESIS_ROOT()), bytes32(StateTree.emptyStateRoot()));
    }

    function test_openLane_emitsWholeGenesis() public {
        Header memory genesis = _genesis(1, uint32(_now()));
        vm.expectEmit(address(rollup));
        emit IRollup.LaneOpened(1, zone, stranger, operator, 0, genesis);
        vm.prank(stranger);
        assertEq(rollup.openLane(zone, operator, 0), 1);
        assertEq(rollup.ringWordAt(1, 0), HeaderLib.ringWord(HeaderLib.hash(genesis), uint32(_now())));
        assertTrue(rollup.isLive(genesis));
        assertEq(rollup.laneCount(), 2);
    }

    function test_openLane_unknownZone_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(IRollup.UnknownZone.selector, 7));
        rollup.openLane(7, operator, 0);
    }

    function test_openLane_bls_keepsItsScheme() public {
        uint32 id = rollup.openLane(zone, operator, 1);
        assertEq(rollup.schemeOf(id), 1);
        assertEq(rollup.lane(id).scheme, 1);
        assertEq(rollup.schemeOf(lane), 0);
    }

    function test_openLane_unknownScheme_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(IRollup.UnknownScheme.selector, 2));
        rollup.openLane(zone, operator, 2);
    }

    function test_lane_showsStateAndTip() public {
        Header memory posted = _post(lane);
        LaneInfo memory info = rollup.lane(lane);
        assertEq(info.owner, laneOwner);
        assertEq(info.operator, operator);
        assertEq(info.zone, zone);
        assertEq(info.scheme, 0);
        assertEq(info.tip, 1);
        assertEq(info.tipAsOf, posted.asOf);
        assertEq(info.tipHash, bytes32(uint256(HeaderLib.hash(posted)) >> 32 << 32));
    }

    function test_views_unknownLane_revert() public {
        bytes memory unknown = abi.encodeWithSelector(IRollup.UnknownLane.selector, 9);
        vm.expectRevert(unknown);
        rollup.lane(9);
        vm.expectRevert(unknown);
        rollup.zoneOf(9);
        vm.expectRevert(unknown);
        rollup.schemeOf(9);
        vm.expectRevert(unknown);
        rollup.isLaneAgent(9, operator);
        vm.expectRevert(unknown);
        rollup.ringWordAt(9, 0);
    }

    function test_setOperator_changesOperatorOnly() public {
        _post(lane);
        vm.prank(laneOwner);
        vm.expectEmit(address(rollup));
        emit IRollup.OperatorChanged(lane, stranger);
        rollup.setOperator(lane, stranger);
        LaneInfo memory info = rollup.lane(lane);
        assertEq(info.operator, stranger);
        assertEq(info.tip, 1);
        assertEq(info.tipAsOf, _tip(lane).asOf);
        assertTrue(rollup.isLaneAgent(lane, stranger));
        assertFalse(rollup.isLaneAgent(lane, operator));
        assertTrue(rollup.isLaneAgent(lane, laneOwner));
        assertFalse(rollup.isLaneAgent(lane, address(0)));
    }

    function test_ownerCalls_notOwner_revert() public {
        bytes memory notOwner = abi.encodeWithSelector(IRollup.NotLaneOwner.selector, lane, address(this));
        vm.expectRevert(notOwner);
        rollup.setOperator(lane, stranger);
        vm.expectRevert(notOwner);
        rollup.proposeLaneOwner(lane, stranger);
    }

    function test_laneOwner_changesInTwoSteps() public {
        vm.prank(laneOwner);
        rollup.proposeLaneOwner(lane, stranger);
        assertEq(rollup.lane(lane).owner, laneOwner);
        assertEq(rollup.lane(lane).pendingOwner, stranger);
        vm.prank(prover);
        vm.expectRevert(abi.encodeWithSelector(IRollup.NotPendingLaneOwner.selector, lane, prover));
        rollup.acceptLaneOwner(lane);
        vm.prank(stranger);
        rollup.acceptLaneOwner(lane);
        assertEq(rollup.lane(lane).owner, stranger);
        assertEq(rollup.lane(lane).pendingOwner, address(0));
    }

    function test_domainOf_isDistinctByLaneAndChain() public {
        bytes32 domain = rollup.domainOf(lane);
        assertEq(domain, sha256(abi.encodePacked("backfeed/1/record", block.chainid, address(rollup), lane)));
        assertNotEq(domain, rollup.domainOf(lane + 1));
        vm.chainId(77);
        assertNotEq(domain, rollup.domainOf(lane));
    }
}
