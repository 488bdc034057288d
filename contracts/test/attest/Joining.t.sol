// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

import {ExactTransfer} from "../../src/ExactTransfer.sol";
import {Attester, IAttesters} from "../../src/interfaces/IAttesters.sol";
import {Limits} from "../../src/protocol/Limits.sol";
import {AttestFixture} from "./AttestFixture.sol";
import {BlsSigner} from "./BlsSigner.sol";

contract JoiningTest is AttestFixture {
    function test_join_givesIdAndStake() public {
        uint32 id = _join(STAKE);
        Attester memory joined = attesters.attester(id);
        assertEq(id, 0);
        assertEq(joined.owner, attesterOwners[0]);
        assertEq(joined.stake, STAKE);
        assertEq(joined.releaseAt, 0);
        assertEq(joined.keyHash, keccak256(BlsSigner.publicKey(1)));
        assertEq(attesters.totalStake(), STAKE);
        assertEq(token.balanceOf(address(attesters)), STAKE);
        assertEq(_join(Limits.MIN_STAKE_MICRO), 1);
        (uint32[] memory ids, Attester[] memory found) = attesters.attesters();
        assertEq(ids.length, 2);
        assertEq(ids[1], 1);
        assertEq(found[1].stake, Limits.MIN_STAKE_MICRO);
    }

    function _joinFails(bytes memory key, bytes memory possession, uint256 stake, bytes memory reason)
        internal
    {
        token.mint(address(this), stake);
        token.approve(address(attesters), stake);
        vm.expectRevert(reason);
        attesters.join(key, possession, stake);
    }

    function test_join_belowMinimum_reverts() public {
        uint256 least = Limits.MIN_STAKE_MICRO;
        bytes memory reason = abi.encodeWithSelector(IAttesters.StakeTooLow.selector, least - 1, least);
        _joinFails(BlsSigner.publicKey(7), BlsSigner.possession(7), least - 1, reason);
    }

    function test_join_anothersPossession_reverts() public {
        bytes memory reason = abi.encodeWithSelector(IAttesters.BadPossession.selector);
        _joinFails(BlsSigner.publicKey(7), BlsSigner.possession(8), STAKE, reason);
        // A signature of the same bytes, but not as a possession.
        bytes memory key = BlsSigner.publicKey(7);
        _joinFails(key, BlsSigner.sign(7, key), STAKE, reason);
        _joinFails(key, new bytes(192), STAKE, reason);
        _joinFails(new bytes(128), new bytes(192), STAKE, reason);
    }

    function test_join_keyOfAnotherLength_reverts() public {
        bytes memory reason = abi.encodeWithSelector(IAttesters.BadKey.selector);
        _joinFails(bytes.concat(BlsSigner.publicKey(7), hex"00"), BlsSigner.possession(7), STAKE, reason);
    }

    function test_join_keyTwice_reverts_untilTheFirstHasLeft() public {
        uint32 id = _join(STAKE);
        bytes memory reason =
            abi.encodeWithSelector(IAttesters.KeyTaken.selector, keccak256(BlsSigner.publicKey(1)));
        _joinFails(BlsSigner.publicKey(1), BlsSigner.possession(1), STAKE, reason);
        vm.startPrank(attesterOwners[0]);
        attesters.announceLeave(id);
        _pass(Limits.BOND_EXIT_SECONDS);
        attesters.withdrawStake(id, attesterOwners[0]);
        vm.stopPrank();
        assertEq(_joinAs(stranger, 1, STAKE), 0);
    }

    function test_join_feeOnTransfer_reverts() public {
        bytes memory key = BlsSigner.publicKey(7);
        bytes memory possession = BlsSigner.possession(7);
        token.mint(address(this), STAKE);
        token.approve(address(attesters), STAKE);
        // Says that it moved the tokens and moves none.
        vm.mockCall(
            address(token),
            abi.encodeCall(IERC20.transferFrom, (address(this), address(attesters), STAKE)),
            abi.encode(true)
        );
        vm.expectRevert(abi.encodeWithSelector(ExactTransfer.WrongAmountReceived.selector, 0, STAKE));
        attesters.join(key, possession, STAKE);
    }

    function test_addStake_ownerOnly_andNotWhileLeaving() public {
        uint32 id = _join(STAKE);
        address owner = attesterOwners[0];
        token.mint(owner, 5);
        vm.expectRevert(abi.encodeWithSelector(IAttesters.NotAttesterOwner.selector, id, address(this)));
        attesters.addStake(id, 5);
        vm.expectRevert(abi.encodeWithSelector(IAttesters.UnknownAttester.selector, uint32(9)));
        attesters.addStake(9, 5);
        vm.startPrank(owner);
        token.approve(address(attesters), 5);
        attesters.addStake(id, 5);
        assertEq(attesters.attester(id).stake, STAKE + 5);
        assertEq(attesters.totalStake(), STAKE + 5);
        attesters.announceLeave(id);
        vm.expectRevert(abi.encodeWithSelector(IAttesters.Leaving.selector, id));
        attesters.addStake(id, 5);
        vm.stopPrank();
    }

    function test_stake_above96Bits_reverts() public {
        _join(STAKE);
        uint256 huge = type(uint96).max - STAKE + 1;
        bytes memory reason = abi.encodeWithSelector(IAttesters.StakeTooHigh.selector, STAKE + huge);
        _joinFails(BlsSigner.publicKey(7), BlsSigner.possession(7), huge, reason);
    }

    function test_leave_stakeStopsCounting_andComesBackAfter21Days() public {
        _joinMany(2);
        address owner = attesterOwners[0];
        vm.expectRevert(abi.encodeWithSelector(IAttesters.NotAttesterOwner.selector, 0, stranger));
        vm.prank(stranger);
        attesters.announceLeave(0);
        vm.startPrank(owner);
        vm.expectRevert(abi.encodeWithSelector(IAttesters.NotLeaving.selector, 0));
        attesters.withdrawStake(0, owner);
        attesters.announceLeave(0);
        assertEq(attesters.totalStake(), STAKE);
        vm.expectRevert(abi.encodeWithSelector(IAttesters.Leaving.selector, 0));
        attesters.announceLeave(0);
        uint64 releaseAt = attesters.attester(0).releaseAt;
        assertEq(releaseAt, _now() + Limits.BOND_EXIT_SECONDS);
        vm.warp(releaseAt - 1);
        vm.expectRevert(abi.encodeWithSelector(IAttesters.StakeLocked.selector, releaseAt));
        attesters.withdrawStake(0, owner);
        vm.warp(releaseAt);
        attesters.withdrawStake(0, stranger);
        vm.expectRevert(abi.encodeWithSelector(IAttesters.UnknownAttester.selector, 0));
        attesters.withdrawStake(0, stranger);
        vm.stopPrank();
        assertEq(_held(stranger), STAKE);
        assertEq(attesters.totalStake(), STAKE);
        // The lowest free id is given again.
        assertEq(_join(STAKE), 0);
        assertEq(_join(STAKE), 2);
    }

    function test_leave_byAnother_reverts() public {
        _join(STAKE);
        vm.prank(attesterOwners[0]);
        attesters.announceLeave(0);
        _pass(Limits.BOND_EXIT_SECONDS);
        vm.expectRevert(abi.encodeWithSelector(IAttesters.NotAttesterOwner.selector, 0, stranger));
        vm.prank(stranger);
        attesters.withdrawStake(0, stranger);
    }

    function test_join_257th_reverts() public {
        for (uint256 i = 0; i < 256; ++i) {
            _joinAs(address(this), 1000 + i, Limits.MIN_STAKE_MICRO);
        }
        bytes memory reason = abi.encodeWithSelector(IAttesters.TooManyAttesters.selector);
        _joinFails(BlsSigner.publicKey(7), BlsSigner.possession(7), STAKE, reason);
    }
}
