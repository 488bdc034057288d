// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Test} from "./Test.sol";

/// The assertions guard every other test, so they are themselves shown to fail.
contract TestBaseTest is Test {
    function test_bound_anyValue_liesInRange(uint256 x, uint256 low, uint256 high) public pure {
        (low, high) = low < high ? (low, high) : (high, low);
        uint256 y = bound(x, low, high);
        assertGe(y, low);
        assertLe(y, high);
    }

    function test_assertEq_differentValues_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(AssertionFailed.selector, "found 1, expected 2"));
        this.assertOneIsTwo();
    }

    function test_assertTrue_false_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(AssertionFailed.selector, "expected true"));
        this.assertNothing();
    }

    function test_cheatcodes_answer() public {
        vm.warp(1000);
        skip(24);
        assertEq(vm.getBlockTimestamp(), 1024);
        (uint256 x, uint256 y) = vm.publicKeyP256(7);
        assertTrue(x != 0 && y != 0);
        assertEq(makeAddr("alice"), vm.addr(uint256(keccak256("alice"))));
    }

    function assertOneIsTwo() external pure {
        assertEq(uint256(1), uint256(2));
    }

    function assertNothing() external pure {
        assertTrue(false);
    }
}
