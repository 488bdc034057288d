// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ICourt} from "../../src/interfaces/ICourt.sol";
import {Header} from "../../src/protocol/Header.sol";
import {Limits} from "../../src/protocol/Limits.sol";
import {CourtFixture} from "./CourtFixture.sol";

contract DoublePlugTest is CourtFixture {
    Header internal early;
    Header internal late;
    bytes32 internal small;
    bytes32 internal large;

    function setUp() public override {
        super.setUp();
        early = _postCredits(_credits(3_000_000, 500_000));
        small = _exhibit(early, 0, _record(0, 0, SPAN, 10_000), 3_000_000);
        _pass(DAY);
        late = _postCredits(_credits(8_000_000, 500_000));
        large = _exhibit(late, 0, _record(1, 0, SPAN + 19, 16_000), 5_000_000);
    }

    function _refused(bytes32 first, bytes32 second, bytes memory reason) private {
        vm.expectRevert(reason);
        court.openDoublePlug(first, second);
    }

    function test_doublePlug_acrossBatches_smallerCreditGoesBack() public {
        vm.expectEmit(address(court));
        emit ICourt.DoublePlugOpened(1, small, large);
        assertEq(court.openDoublePlug(large, small), 1);
        assertEq(_heldFrom(0), early.index);
        // Until the later batch is final, too.
        vm.warp(court.exhibitOf(small).finalAt);
        uint32 finalAt = court.exhibitOf(large).finalAt;
        vm.expectRevert(abi.encodeWithSelector(ICourt.NotFinal.selector, finalAt));
        court.resolveDoublePlug(1);
        vm.warp(finalAt);
        vm.expectEmit(address(court));
        emit ICourt.DoublePlugResolved(1, lane, 0, 3_000_000);
        court.resolveDoublePlug(1);
        assertEq(_heldFrom(0), 0);
        uint256[] memory credits = _credits(8_000_000, 500_000);
        assertEq(vault.withdraw(late, _parts(credits), _claim(credits, 0)), 5_000_000);
        vm.expectRevert(abi.encodeWithSelector(ICourt.ClaimClosed.selector, 1));
        court.resolveDoublePlug(1);
    }

    function test_doublePlug_orderOfExhibits_doesNotMatter() public {
        court.openDoublePlug(small, large);
        assertEq(court.claimOf(1).exhibit, small);
        _refused(large, small, abi.encodeWithSelector(ICourt.AlreadyClaimed.selector, 1));
    }

    function test_doublePlug_equalCredits_takesOne() public {
        bytes32 equal = _exhibit(late, 1, _record(1, 0, SPAN + 1, 10_000), 3_000_000);
        court.openDoublePlug(small, equal);
        vm.warp(court.exhibitOf(equal).finalAt);
        court.resolveDoublePlug(1);
        assertEq(_clawback(0), 3_000_000);
    }

    function test_doublePlug_touchingSpans_reverts() public {
        bytes32 after_ = _exhibit(late, 1, _record(1, 0, SPAN + 20, 10_000), 1);
        _refused(small, after_, abi.encodeWithSelector(ICourt.NotOverlapping.selector));
        bytes32 ahead = _exhibit(late, 2, _record(1, 0, SPAN - 20, 10_000), 1);
        _refused(small, ahead, abi.encodeWithSelector(ICourt.NotOverlapping.selector));
        bytes32 overlapping = _exhibit(late, 3, _record(1, 0, SPAN - 19, 10_000), 1);
        court.openDoublePlug(small, overlapping);
    }

    function test_doublePlug_otherContractOrSameEvse_reverts() public {
        bytes32 other = _exhibit(late, 1, _record(1, 1, SPAN, 10_000), 1);
        _refused(small, other, abi.encodeWithSelector(ICourt.OtherContract.selector));
        bytes32 same = _exhibit(late, 2, _record(0, 0, SPAN, 10_000), 1);
        _refused(small, same, abi.encodeWithSelector(ICourt.SameEvse.selector, 0));
        _refused(small, small, abi.encodeWithSelector(ICourt.SameEvse.selector, 0));
    }

    function test_doublePlug_otherLane_reverts() public {
        uint32 second = _openLane();
        _pass(24);
        Header memory there = _post(second);
        bytes32 other = _exhibit(there, 0, _record(1, 0, SPAN, 10_000), 1);
        _refused(small, other, abi.encodeWithSelector(ICourt.OtherContract.selector));
    }

    function test_doublePlug_oneBatchFinal_isStillClaimed_bothFinal_reverts() public {
        uint32 finalAt = court.exhibitOf(large).finalAt;
        vm.warp(finalAt);
        _refused(small, large, abi.encodeWithSelector(ICourt.WindowClosed.selector, finalAt));
        vm.warp(finalAt - 1);
        court.openDoublePlug(small, large);
    }

    function test_doublePlug_eitherBatchFell_isVoid() public {
        court.openDoublePlug(small, large);
        _fell(late);
        vm.expectEmit(address(court));
        emit ICourt.DoublePlugVoid(1);
        court.resolveDoublePlug(1);
        assertEq(_heldFrom(0), 0);
        assertEq(court.doublePlugOf(small), 0);
        _refused(small, large, abi.encodeWithSelector(ICourt.BatchFell.selector, large));

        // It comes again, and so does the claim.
        late = _postCredits(_credits(8_000_000, 500_000));
        large = _exhibit(late, 0, _record(1, 0, SPAN + 19, 16_000), 5_000_000);
        court.openDoublePlug(small, large);
        _fell(early);
        court.resolveDoublePlug(2);
        assertEq(_clawback(0), 0);
    }

    /// All claims against one record together take no more than its amount, in whatever order.
    function test_doublePlugAndDispute_takeTheRecordOnce() public {
        court.openDoublePlug(small, large);
        _dispute(small, _gridReading(small, 5000));
        vm.warp(court.exhibitOf(large).finalAt);
        uint256 snapshot = vm.snapshotState();
        court.resolveDispute(2, evseDescriptors[0]);
        assertEq(_clawback(0), 1_500_000);
        assertEq(_heldFrom(0), early.index);
        court.resolveDoublePlug(1);
        assertEq(_clawback(0), 3_000_000);
        vm.revertToState(snapshot);
        court.resolveDoublePlug(1);
        court.resolveDispute(2, evseDescriptors[0]);
        assertEq(_clawback(0), 3_000_000);
        assertEq(_heldFrom(0), 0);
        assertEq(court.exhibitOf(small).clawed, 3_000_000);
        assertEq(token.balanceOf(challenger), 1_000_000_000);
    }

    function test_doublePlug_isNoDispute_andTheOtherWayRound() public {
        court.openDoublePlug(small, large);
        _dispute(small, _gridReading(small, 5000));
        vm.warp(court.exhibitOf(large).finalAt);
        vm.expectRevert(abi.encodeWithSelector(ICourt.UnknownClaim.selector, 1));
        court.resolveDispute(1, evseDescriptors[0]);
        vm.expectRevert(abi.encodeWithSelector(ICourt.UnknownClaim.selector, 2));
        court.resolveDoublePlug(2);
        vm.expectRevert(abi.encodeWithSelector(ICourt.UnknownClaim.selector, 3));
        court.resolveDoublePlug(3);
    }
}
