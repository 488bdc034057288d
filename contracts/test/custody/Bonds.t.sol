// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IRollup} from "../../src/interfaces/IRollup.sol";
import {Header} from "../../src/protocol/Header.sol";
import {Limits} from "../../src/protocol/Limits.sol";
import {Fixture} from "./Fixture.sol";

contract BondsTest is Fixture {
    function test_limits_hangTogether() public pure {
        assertGe(Limits.MIN_BOND_WEI, 2 * Limits.SLASH_WEI, "a bond covers two slashes");
        assertGt(Limits.BOND_EXIT_SECONDS, Limits.WINDOW_SECONDS, "a bond outlives its batches' windows");
    }

    function test_depositBond_addsUp() public {
        vm.deal(stranger, 3 ether);
        vm.startPrank(stranger);
        rollup.depositBond{value: 1 ether}();
        vm.expectEmit(address(rollup));
        emit IRollup.BondDeposited(stranger, 2 ether, 3 ether);
        rollup.depositBond{value: 2 ether}();
        (uint256 amount, uint64 releaseAt) = rollup.bondOf(stranger);
        assertEq(amount, 3 ether);
        assertEq(releaseAt, 0);
    }

    function test_withdrawBond_afterExit_paysOnce() public {
        vm.startPrank(operator);
        rollup.announceBondExit();
        (, uint64 releaseAt) = rollup.bondOf(operator);
        assertEq(releaseAt, _now() + Limits.BOND_EXIT_SECONDS);
        vm.warp(releaseAt - 1);
        vm.expectRevert(abi.encodeWithSelector(IRollup.BondLocked.selector, releaseAt));
        rollup.withdrawBond(payable(stranger));
        vm.warp(releaseAt);
        vm.expectEmit(address(rollup));
        emit IRollup.BondWithdrawn(operator, Limits.MIN_BOND_WEI);
        rollup.withdrawBond(payable(stranger));
        assertEq(stranger.balance, Limits.MIN_BOND_WEI);
        vm.expectRevert(abi.encodeWithSelector(IRollup.NoBondExit.selector, operator));
        rollup.withdrawBond(payable(stranger));
        (uint256 amount,) = rollup.bondOf(operator);
        assertEq(amount, 0);
    }

    function test_withdrawBond_withoutExit_reverts() public {
        vm.prank(operator);
        vm.expectRevert(abi.encodeWithSelector(IRollup.NoBondExit.selector, operator));
        rollup.withdrawBond(payable(operator));
    }

    function test_announceBondExit_noBondOrAgain_reverts() public {
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(IRollup.NoBond.selector, stranger));
        rollup.announceBondExit();
        vm.startPrank(operator);
        rollup.announceBondExit();
        vm.expectRevert(abi.encodeWithSelector(IRollup.BondExiting.selector, operator));
        rollup.announceBondExit();
    }

    function test_cancelBondExit_allowsPosting() public {
        vm.startPrank(operator);
        vm.expectRevert(abi.encodeWithSelector(IRollup.NoBondExit.selector, operator));
        rollup.cancelBondExit();
        rollup.announceBondExit();
        rollup.cancelBondExit();
        vm.stopPrank();
        _post(lane);
        _pass(Limits.BOND_EXIT_SECONDS);
        vm.prank(operator);
        vm.expectRevert(abi.encodeWithSelector(IRollup.NoBondExit.selector, operator));
        rollup.withdrawBond(payable(operator));
    }

    function test_slash_duringExit_takesFromExitingBond() public {
        Header memory bad = _post(lane);
        vm.prank(operator);
        rollup.announceBondExit();
        _pass(12);
        _prove(bad, headers[lane][0]);
        _pass(Limits.BOND_EXIT_SECONDS);
        vm.prank(operator);
        rollup.withdrawBond(payable(operator));
        assertEq(operator.balance, Limits.MIN_BOND_WEI - Limits.SLASH_WEI);
        assertEq(address(rollup).balance, 0);
    }

    function test_withdrawBond_receiverRefuses_reverts() public {
        vm.prank(operator);
        rollup.announceBondExit();
        _pass(Limits.BOND_EXIT_SECONDS);
        // This contract takes no ether.
        vm.prank(operator);
        vm.expectRevert(
            abi.encodeWithSelector(IRollup.PaymentFailed.selector, address(this), Limits.MIN_BOND_WEI)
        );
        rollup.withdrawBond(payable(address(this)));
    }
}
