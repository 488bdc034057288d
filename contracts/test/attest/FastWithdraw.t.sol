// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AttestationStatus, IAttesters} from "../../src/interfaces/IAttesters.sol";
import {IRollup} from "../../src/interfaces/IRollup.sol";
import {Claim, IVault, RootParts} from "../../src/interfaces/IVault.sol";
import {Header, HeaderLib} from "../../src/protocol/Header.sol";
import {Limits} from "../../src/protocol/Limits.sol";
import {AttestFixture} from "./AttestFixture.sol";

contract FastWithdrawTest is AttestFixture {
    uint256 internal constant FUNDED = 1_000_000_000;
    uint256[] internal credits;
    Header internal state;
    bytes32 internal hash;

    function setUp() public override {
        super.setUp();
        _enrolDrivers(3);
        _fund(lane, FUNDED);
        _joinMany(3);
        credits = [uint256(60_000_000), 40_000_000, 1];
        state = _postCredits(credits);
        hash = HeaderLib.hash(state);
    }

    function _fast(Header memory header, uint256[] memory of_, uint32 slot) internal returns (uint256) {
        return vault.withdrawFast(header, _parts(of_), _claim(of_, slot));
    }

    function _fastFails(Header memory header, uint256[] memory of_, uint32 slot, bytes memory reason)
        internal
    {
        RootParts memory parts = _parts(of_);
        Claim memory claim = _claim(of_, slot);
        vm.expectRevert(reason);
        vault.withdrawFast(header, parts, claim);
    }

    function test_withdrawFast_attested_paysOwnerWithoutWaiting() public {
        _attest(state, 7);
        vm.expectEmit(address(attesters));
        emit IAttesters.FastDrawn(hash, lane, 60_000_000, 60_000_000);
        assertEq(_fast(state, credits, 0), 60_000_000);
        assertEq(_held(owners[0]), 60_000_000);
        assertEq(vault.withdrawn(lane, 0), 60_000_000);
        assertEq(vault.paidOut(lane), 60_000_000);
        assertEq(attesters.outstanding(), 60_000_000);
        assertEq(attesters.laneOutstanding(lane), 60_000_000);
        _fastFails(state, credits, 0, abi.encodeWithSelector(IVault.NothingToWithdraw.selector, 0));
        // Nor is it paid again when it is final.
        _makeFinal();
        RootParts memory parts = _parts(credits);
        Claim memory claim = _claim(credits, 0);
        vm.expectRevert(abi.encodeWithSelector(IVault.NothingToWithdraw.selector, 0));
        vault.withdraw(state, parts, claim);
    }

    function test_withdrawFast_notAttested_reverts() public {
        _fastFails(state, credits, 0, abi.encodeWithSelector(IAttesters.NotAttested.selector, hash));
    }

    function test_withdrawFast_wrongClaims_revert() public {
        _attest(state, 7);
        RootParts memory parts = _parts(credits);
        Claim memory claim = _claim(credits, 0);
        claim.leaf = _leaf(61_000_000);
        vm.expectRevert(abi.encodeWithSelector(IVault.WrongPath.selector, 0));
        vault.withdrawFast(state, parts, claim);
        claim = _claim(credits, 0);
        claim.descriptor = descriptors[1];
        vm.expectRevert(abi.encodeWithSelector(IVault.WrongDescriptor.selector, 0));
        vault.withdrawFast(state, parts, claim);
        Header memory other = state;
        other.asOf += 1;
        claim = _claim(credits, 0);
        vm.expectRevert(abi.encodeWithSelector(IRollup.NotLive.selector, lane, other.index));
        vault.withdrawFast(other, parts, claim);
    }

    function test_withdrawFast_held_reverts() public {
        _attest(state, 7);
        vm.prank(address(court));
        vault.setHold(lane, 0, state.index);
        _fastFails(state, credits, 0, abi.encodeWithSelector(IVault.Held.selector, 0, state.index));
        assertEq(_fast(state, credits, 1), 40_000_000);
    }

    function test_withdrawFast_laneCap_tenPercentOfEscrow_roundedDown() public {
        _fund(lane, 9);
        credits[0] = 60_000_001;
        Header memory header = _postCredits(credits);
        _attest(header, 7);
        assertEq(_fast(header, credits, 0), 60_000_001);
        // 10 % of 1 000 000 009, what was paid fast included.
        bytes memory reason =
            abi.encodeWithSelector(IAttesters.OverLaneLimit.selector, lane, 100_000_001, 100_000_000);
        _fastFails(header, credits, 1, reason);
        assertEq(_fast(header, credits, 2), 1);
        _fund(lane, 11);
        assertEq(_fast(header, credits, 1), 40_000_000);
    }

    function test_withdrawFast_laneCap_fallsWithWhatWasPaidSlowly() public {
        uint256[] memory first = new uint256[](3);
        first[0] = 600_000_000;
        Header memory slow = _postCredits(first);
        _makeFinal();
        vault.withdraw(slow, _parts(first), _claim(first, 0));
        first[1] = 40_000_001;
        Header memory header = _postCredits(first);
        _attest(header, 7);
        bytes memory reason =
            abi.encodeWithSelector(IAttesters.OverLaneLimit.selector, lane, 40_000_001, 40_000_000);
        _fastFails(header, first, 1, reason);
        _fund(lane, 10);
        assertEq(_fast(header, first, 1), 40_000_001);
    }

    function test_withdrawFast_stakeCap_halfOfSigners_overAllLanes() public {
        _fund(lane, 100_000_000_000);
        uint256 half = 3 * STAKE / 2;
        credits[0] = half - 40_000_000;
        credits[2] = 1;
        Header memory header = _postCredits(credits);
        _attest(header, 7);
        _fast(header, credits, 0);
        _fast(header, credits, 1);
        bytes memory reason = abi.encodeWithSelector(IAttesters.OverStakeLimit.selector, half + 1, half);
        _fastFails(header, credits, 2, reason);
        // A batch that more stake vouches for allows more.
        _joinMany(1);
        Header memory next = _postCredits(credits);
        _attest(next, 15);
        assertEq(_fast(next, credits, 2), 1);
    }

    function test_withdrawFast_finalBatch_paysWithoutAttesters() public {
        _makeFinal();
        assertEq(_fast(state, credits, 0), 60_000_000);
        assertEq(attesters.outstanding(), 0);
    }

    function test_draw_byAnyoneElse_reverts() public {
        _attest(state, 7);
        vm.expectRevert(abi.encodeWithSelector(IAttesters.NotVault.selector, address(this)));
        attesters.draw(hash, lane, 1, 1_000_000);
    }

    function test_refill_byAnyoneElse_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(IVault.NotAttesters.selector, address(this)));
        vault.refill(lane, 1);
    }

    function test_settle_final_freesBothLimits_once() public {
        _attest(state, 7);
        _fast(state, credits, 0);
        vm.expectRevert(abi.encodeWithSelector(IAttesters.NotSettleable.selector, hash));
        attesters.settle(state);
        _makeFinal();
        vm.expectEmit(address(attesters));
        emit IAttesters.AttestationSettled(hash, 60_000_000);
        vm.prank(stranger);
        attesters.settle(state);
        assertEq(attesters.outstanding(), 0);
        assertEq(attesters.laneOutstanding(lane), 0);
        assertEq(uint256(attesters.attestation(hash).status), uint256(AttestationStatus.Settled));
        vm.expectRevert(abi.encodeWithSelector(IAttesters.AlreadySettled.selector, hash));
        attesters.settle(state);
        vm.expectRevert(abi.encodeWithSelector(IAttesters.AlreadySettled.selector, hash));
        attesters.slash(state);
    }

    function test_settle_notAttested_reverts() public {
        _makeFinal();
        vm.expectRevert(abi.encodeWithSelector(IAttesters.NotAttested.selector, hash));
        attesters.settle(state);
    }

    function test_withdrawFast_gas() public {
        _attest(state, 7);
        _fast(state, credits, 1);
        RootParts memory parts = _parts(credits);
        Claim memory claim = _claim(credits, 0);
        vm.cool(address(vault));
        vm.cool(address(attesters));
        vm.cool(address(rollup));
        vault.withdrawFast(state, parts, claim);
        assertLt(vm.lastCallGas().gasTotalUsed, 200_000);
    }
}
