// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ExactTransfer} from "../../src/ExactTransfer.sol";
import {IRollup} from "../../src/interfaces/IRollup.sol";
import {IVault} from "../../src/interfaces/IVault.sol";
import {Header} from "../../src/protocol/Header.sol";
import {Limits} from "../../src/protocol/Limits.sol";
import {Crediting} from "./Crediting.sol";
import {TestTree} from "./TestTree.sol";

contract FundingTest is Crediting {
    function _spentState(uint256 spent) internal returns (Header memory) {
        return _postRoot(lane, _root(_spentBy(spent), spent));
    }

    function _spentBy(uint256 spent) internal pure returns (uint256[] memory credits) {
        credits = new uint256[](1);
        credits[0] = spent;
    }

    function _notice(uint256 amount) internal returns (uint32 notice) {
        vm.prank(zoneOperator);
        return vault.noticeRefund(lane, amount);
    }

    function _claimRefund(Header memory header, uint32 notice, uint256 spent, bytes memory reason) internal {
        bytes32 contractRoot = TestTree.root(_leaves(_spentBy(spent)));
        vm.prank(zoneOperator);
        if (reason.length != 0) vm.expectRevert(reason);
        vault.claimRefund(header, notice, EVSE_ROOT, contractRoot, _laneLeaf(spent));
    }

    function _word(uint256 effectiveFrom, uint256 funded) internal pure returns (bytes32) {
        return bytes32(effectiveFrom << 224 | funded << 128);
    }

    // --- Funding

    function test_fund_takesTokensAndAddsCheckpoint() public {
        uint256 effective = _now() + Limits.NOTICE_SECONDS;
        token.mint(stranger, 500);
        vm.startPrank(stranger);
        token.approve(address(vault), 500);
        vm.expectEmit(address(vault));
        emit IVault.Funded(lane, stranger, 500, 500);
        vm.expectEmit(address(vault));
        emit IVault.CheckpointAdded(lane, 0, uint32(effective), 500);
        vault.fund(lane, 500);
        assertEq(token.balanceOf(address(vault)), 500);
        assertEq(vault.lifetimeFunding(lane), 500);
        assertEq(vault.checkpointCount(lane), 1);
        assertEq(vault.checkpoint(lane, 0), _word(effective, 500));
        assertEq(vault.checkpoint(lane, 1), bytes32(0));
        assertEq(vault.fundedAt(lane, uint32(effective - 1)), 0);
        assertEq(vault.fundedAt(lane, uint32(effective)), 500);
    }

    function test_fund_sameBlock_replacesCheckpoint() public {
        _fund(lane, 100);
        _fund(lane, 20);
        assertEq(vault.checkpointCount(lane), 1);
        assertEq(vault.checkpoint(lane, 0), _word(_now() + Limits.NOTICE_SECONDS, 120));
        _pass(12);
        _fund(lane, 3);
        assertEq(vault.checkpointCount(lane), 2);
        assertEq(vault.checkpoint(lane, 1), _word(_now() + Limits.NOTICE_SECONDS, 123));
    }

    function test_fund_refusals() public {
        vm.expectRevert(abi.encodeWithSelector(IVault.ZeroAmount.selector));
        vault.fund(lane, 0);
        vm.expectRevert(abi.encodeWithSelector(IRollup.UnknownLane.selector, 4));
        vault.fund(4, 1);
        _fund(lane, type(uint96).max);
        vm.expectRevert(abi.encodeWithSelector(IVault.FundingOverflow.selector, 1));
        vault.fund(lane, 1);
    }

    function test_fund_tokenKeepsFee_reverts() public {
        token.mint(address(this), 100);
        token.approve(address(vault), 100);
        // A token that reports success and moves nothing.
        vm.mockCall(
            address(token),
            abi.encodeWithSignature(
                "transferFrom(address,address,uint256)", address(this), address(vault), 100
            ),
            abi.encode(true)
        );
        vm.expectRevert(abi.encodeWithSelector(ExactTransfer.WrongAmountReceived.selector, 0, 100));
        vault.fund(lane, 100);
    }

    function testFuzz_fundedAt_findsLastInForce(uint8[10] memory gaps, uint32 asOf) public {
        uint256[10] memory times;
        uint256 total = 0;
        for (uint256 i = 0; i < gaps.length; ++i) {
            skip(gaps[i]);
            times[i] = _now() + Limits.NOTICE_SECONDS;
            _fund(lane, i + 1);
        }
        asOf = uint32(bound(asOf, times[0] - 2, times[9] + 2));
        for (uint256 i = 0; i < times.length; ++i) {
            if (times[i] <= asOf) total += i + 1;
        }
        assertEq(vault.fundedAt(lane, asOf), total);
    }

    // --- Refunds

    function test_noticeRefund_lowersFundedWithNotice() public {
        _fund(lane, 1000);
        _pass(DAY);
        uint256 effective = _now() + Limits.NOTICE_SECONDS;
        vm.expectEmit(address(vault));
        emit IVault.RefundNoticed(lane, 0, 400, effective32());
        _notice(400);
        assertEq(vault.fundedAt(lane, uint32(effective - 1)), 1000);
        assertEq(vault.fundedAt(lane, uint32(effective)), 600);
        assertEq(vault.pendingRefunds(lane), 400);
        (uint256 amount, uint32 from) = vault.refundNotice(lane, 0);
        assertEq(amount, 400);
        assertEq(from, effective);
        assertEq(token.balanceOf(address(vault)), 1000);
    }

    function effective32() internal view returns (uint32) {
        return uint32(_now() + Limits.NOTICE_SECONDS);
    }

    function test_noticeRefund_refusals() public {
        _fund(lane, 1000);
        vm.expectRevert(abi.encodeWithSelector(IVault.NotZoneOperator.selector, zone, address(this)));
        vault.noticeRefund(lane, 1);
        vm.startPrank(zoneOperator);
        vm.expectRevert(abi.encodeWithSelector(IVault.ZeroAmount.selector));
        vault.noticeRefund(lane, 0);
        vm.expectRevert(abi.encodeWithSelector(IVault.RefundTooLarge.selector, 1001, 1000));
        vault.noticeRefund(lane, 1001);
        vault.noticeRefund(lane, 700);
        vm.expectRevert(abi.encodeWithSelector(IVault.RefundTooLarge.selector, 301, 300));
        vault.noticeRefund(lane, 301);
        vm.expectRevert(abi.encodeWithSelector(IVault.UnknownNotice.selector, 1));
        vault.refundNotice(lane, 1);
    }

    function test_claimRefund_stateSawNotice_pays() public {
        _fund(lane, 1000);
        _notice(400);
        _pass(Limits.NOTICE_SECONDS + 12);
        Header memory state = _spentState(600);
        _makeFinal();
        vm.expectEmit(address(vault));
        emit IVault.RefundPaid(lane, 0, zoneOperator, 400, 0);
        _claimRefund(state, 0, 600, "");
        assertEq(token.balanceOf(zoneOperator), 400);
        assertEq(vault.refundsPaid(lane), 400);
        assertEq(vault.pendingRefunds(lane), 0);
        assertEq(vault.fundedAt(lane, type(uint32).max), 600);
        _claimRefund(state, 0, 600, abi.encodeWithSelector(IVault.NoticeSettled.selector, 0));
    }

    function test_claimRefund_spentBeforeNotice_returnsRest() public {
        _fund(lane, 1000);
        _notice(400);
        _pass(Limits.NOTICE_SECONDS + 12);
        Header memory state = _spentState(900);
        _makeFinal();
        uint32 count = vault.checkpointCount(lane);
        _claimRefund(state, 0, 900, "");
        assertEq(token.balanceOf(zoneOperator), 100);
        assertEq(vault.checkpointCount(lane), count + 1);
        assertEq(vault.checkpoint(lane, count), _word(_now() + Limits.NOTICE_SECONDS, 900));
    }

    function test_claimRefund_everythingSpent_paysNothingAndSettles() public {
        _fund(lane, 1000);
        _notice(400);
        _pass(Limits.NOTICE_SECONDS + 12);
        Header memory state = _spentState(1000);
        _makeFinal();
        vm.expectEmit(address(vault));
        emit IVault.RefundPaid(lane, 0, zoneOperator, 0, 400);
        _claimRefund(state, 0, 1000, "");
        assertEq(token.balanceOf(zoneOperator), 0);
        assertEq(vault.fundedAt(lane, type(uint32).max), 1000);
    }

    /// The state of the first notice is older than the spending that the second claim has counted.
    function test_claimRefund_olderStateForSecondClaim_neverPaysWhatIsSpent() public {
        _fund(lane, 100);
        _notice(30);
        _pass(Limits.NOTICE_SECONDS + 12);
        Header memory old = _spentState(0);
        _pass(60);
        _spentState(70);
        _notice(50);
        _pass(Limits.NOTICE_SECONDS + 12);
        Header memory late = _spentState(70);
        _makeFinal();
        _claimRefund(late, 1, 70, "");
        _claimRefund(old, 0, 0, "");
        assertLe(token.balanceOf(zoneOperator) + 70, 100, "solvent");
        assertEq(token.balanceOf(zoneOperator), 30);
    }

    function test_claimRefund_refusals() public {
        _fund(lane, 1000);
        Header memory before = _spentState(0);
        _notice(400);
        (, uint32 effective) = vault.refundNotice(lane, 0);
        _pass(Limits.NOTICE_SECONDS + 12);
        Header memory state = _spentState(0);
        bytes memory reason = abi.encodeWithSelector(
            IRollup.NotFinal.selector, lane, state.index, _now() + Limits.WINDOW_SECONDS
        );
        _claimRefund(state, 0, 0, reason);
        _makeFinal();
        _claimRefund(state, 1, 0, abi.encodeWithSelector(IVault.UnknownNotice.selector, 1));
        _claimRefund(
            before, 0, 0, abi.encodeWithSelector(IVault.RefundTooEarly.selector, before.asOf, effective)
        );
        _claimRefund(state, 0, 1, abi.encodeWithSelector(IVault.WrongState.selector));
        vm.expectRevert(abi.encodeWithSelector(IVault.NotZoneOperator.selector, zone, address(this)));
        vault.claimRefund(state, 0, 0, 0, 0);
        // An older state doesn't serve even when years have passed, as long as it isn't the tip.
        _pass(1000 * DAY);
        _claimRefund(
            before, 0, 0, abi.encodeWithSelector(IVault.RefundTooEarly.selector, before.asOf, effective)
        );
        _claimRefund(state, 0, 0, "");
    }

    function test_claimRefund_laneAbandoned_lastStateServes() public {
        _fund(lane, 1000);
        Header memory last = _spentState(250);
        _notice(1000);
        (, uint32 effective) = vault.refundNotice(lane, 0);
        uint256 abandonedAt = uint256(effective) + Limits.AS_OF_MAX_AGE_SECONDS + Limits.WINDOW_SECONDS;
        vm.warp(abandonedAt - 1);
        _claimRefund(
            last, 0, 250, abi.encodeWithSelector(IVault.RefundTooEarly.selector, last.asOf, effective)
        );
        vm.warp(abandonedAt);
        _claimRefund(last, 0, 250, "");
        assertEq(token.balanceOf(zoneOperator), 750);
    }

    function test_claimRefund_laneNeverPosted_genesisServes() public {
        _fund(lane, 1000);
        _notice(1000);
        _pass(30 * DAY);
        bytes32[] memory none = new bytes32[](1);
        bytes32 empty = TestTree.root(none);
        vm.prank(zoneOperator);
        vault.claimRefund(headers[lane][0], 0, empty, empty, 0);
        assertEq(token.balanceOf(zoneOperator), 1000);
    }
}
