// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AttestationStatus, IAttesters} from "../../src/interfaces/IAttesters.sol";
import {IVault} from "../../src/interfaces/IVault.sol";
import {Header, HeaderLib} from "../../src/protocol/Header.sol";
import {Limits} from "../../src/protocol/Limits.sol";
import {AttestFixture} from "./AttestFixture.sol";

contract SlashTest is AttestFixture {
    uint256[] internal credits;
    Header internal state;
    bytes32 internal hash;

    function setUp() public override {
        super.setUp();
        _enrolDrivers(2);
        _fund(lane, 1_000_000_000);
        _joinMany(4);
        credits = [uint256(60_000_000), 40_000_000];
        state = _postCredits(credits);
        hash = HeaderLib.hash(state);
    }

    function _fast(Header memory header, uint256[] memory of_, uint32 slot) internal returns (uint256) {
        return vault.withdrawFast(header, _parts(of_), _claim(of_, slot));
    }

    function _slashFails(Header memory header, bytes4 selector) internal {
        bytes32 headerHash = HeaderLib.hash(header);
        vm.expectRevert(abi.encodeWithSelector(selector, headerHash));
        attesters.slash(header);
    }

    function test_slash_fallen_takesWholeStakes_refillsTheLane_splitsTheRest() public {
        _attest(state, 7);
        _fast(state, credits, 0);
        uint256 inVault = _held(address(vault));
        _prove(state, headers[lane][0]);
        uint256 rest = 3 * STAKE - 60_000_000;
        vm.expectEmit(address(attesters));
        emit IAttesters.AttestersSlashed(hash, 3 * STAKE, 60_000_000, rest / 2, rest - rest / 2);
        vm.prank(stranger);
        attesters.slash(state);

        assertEq(_held(stranger), rest / 2);
        assertEq(_held(DEAD), rest - rest / 2);
        assertEq(_held(address(vault)), inVault + 60_000_000);
        assertEq(_held(address(attesters)), STAKE, "who did not sign keeps his stake");
        assertEq(vault.paidOut(lane), 0);
        assertEq(attesters.outstanding(), 0);
        assertEq(attesters.laneOutstanding(lane), 0);
        assertEq(attesters.totalStake(), STAKE);
        assertEq(attesters.attester(0).owner, address(0));
        assertEq(attesters.attester(3).stake, STAKE);
        assertEq(uint256(attesters.attestation(hash).status), uint256(AttestationStatus.Slashed));
        _slashFails(state, IAttesters.AlreadySettled.selector);
    }

    function test_slash_withAnAncestor_takesTheSigners() public {
        Header memory next = _postCredits(credits);
        _attest(next, 7);
        _prove(state, headers[lane][0]);
        attesters.slash(next);
        assertEq(attesters.totalStake(), STAKE);
    }

    /// The negative twins: nothing that happens to other batches makes an honest one slashable.
    function test_slash_honest_reverts_liveOrFinal_whateverFellElsewhere() public {
        _attest(state, 7);
        _slashFails(state, IAttesters.NotFallen.selector);
        Header memory next = _postCredits(credits);
        _prove(next, state);
        _slashFails(state, IAttesters.NotFallen.selector);
        uint32 other = _openLane();
        _bond(operator, Limits.MIN_BOND_WEI);
        _pass(60);
        Header memory elsewhere = _post(other);
        _prove(elsewhere, headers[other][0]);
        _slashFails(state, IAttesters.NotFallen.selector);
        _makeFinal();
        _slashFails(state, IAttesters.NotFallen.selector);
        attesters.settle(state);
        _slashFails(state, IAttesters.AlreadySettled.selector);
    }

    function test_slash_notAttested_reverts() public {
        _prove(state, headers[lane][0]);
        _slashFails(state, IAttesters.NotAttested.selector);
    }

    function test_slash_fallBeforeTheBatch_isNotItsOwn() public {
        _prove(state, headers[lane][0]);
        _bond(operator, Limits.SLASH_WEI);
        Header memory again = _postCredits(credits);
        _attest(again, 7);
        _slashFails(again, IAttesters.NotFallen.selector);
    }

    function test_slash_signerThatIsLeaving_losesItsStakeToo() public {
        _attest(state, 7);
        vm.prank(attesterOwners[0]);
        attesters.announceLeave(0);
        _prove(state, headers[lane][0]);
        attesters.slash(state);
        assertEq(attesters.totalStake(), STAKE);
        assertEq(_held(address(attesters)), STAKE);
        _pass(Limits.BOND_EXIT_SECONDS);
        vm.expectRevert(abi.encodeWithSelector(IAttesters.UnknownAttester.selector, 0));
        vm.prank(attesterOwners[0]);
        attesters.withdrawStake(0, attesterOwners[0]);
    }

    function test_slash_laterHolderOfTheId_isLeftAlone() public {
        _attest(state, 7);
        vm.prank(attesterOwners[0]);
        attesters.announceLeave(0);
        _prove(state, headers[lane][0]);
        _pass(Limits.BOND_EXIT_SECONDS);
        vm.prank(attesterOwners[0]);
        attesters.withdrawStake(0, attesterOwners[0]);
        assertEq(_join(STAKE), 0);
        attesters.slash(state);
        assertEq(attesters.attester(0).stake, STAKE);
        assertEq(attesters.totalStake(), 2 * STAKE);
    }

    function test_slash_twoBatchesOfTheSameSigners_bothLanesAreRefilled() public {
        uint256[] memory more = new uint256[](2);
        (more[0], more[1]) = (60_000_000, 40_000_001);
        _fund(lane, 1_000_000_000);
        Header memory next = _postCredits(more);
        _attest(state, 7);
        _attest(next, 7);
        _fast(state, credits, 0);
        _fast(next, more, 1);
        _prove(state, headers[lane][0]);
        attesters.slash(next);
        // All stakes are gone; what the other batch may need is kept.
        assertEq(attesters.reserve(), 60_000_000);
        assertEq(vault.paidOut(lane), 60_000_000);
        attesters.slash(state);
        assertEq(attesters.reserve(), 0);
        assertEq(vault.paidOut(lane), 0);
        assertEq(_held(address(attesters)), STAKE);
    }

    function test_settle_burnsWhatWasKeptAndIsNeededNoMore() public {
        _fund(lane, 1_000_000_000);
        _attest(state, 7);
        _fast(state, credits, 0);
        Header memory next = _postCredits(credits);
        _attest(next, 7);
        _prove(next, state);
        attesters.slash(next);
        assertEq(attesters.reserve(), 60_000_000);
        uint256 burned = _held(DEAD);
        _makeFinal();
        attesters.settle(state);
        assertEq(attesters.reserve(), 0);
        assertEq(_held(DEAD), burned + 60_000_000);
        assertEq(_held(address(attesters)), STAKE);
    }

    function test_draw_afterASlash_isVoid_untilALaterBatchIsAttested() public {
        _attest(state, 15);
        Header memory next = _postCredits(credits);
        _attest(next, 7);
        assertTrue(attesters.isAttested(hash));
        _prove(next, state);
        attesters.slash(next);
        assertFalse(attesters.isAttested(hash));
        _bond(operator, Limits.SLASH_WEI);
        Header memory third = _postCredits(credits);
        vm.expectRevert(abi.encodeWithSelector(IAttesters.AttestationVoid.selector, hash));
        this.withdrawFastOf(state, 0);
        _attest(third, 8);
        assertEq(_fast(third, credits, 0), 60_000_000);
    }

    function withdrawFastOf(Header memory header, uint32 slot) external {
        _fast(header, credits, slot);
    }

    function test_slash_ringOverwritten_isNotAFall() public {
        _attest(state, 7);
        _fast(state, credits, 0);
        _makeFinal();
        // A whole ring later another batch has the word; made by hand, as 65 536 posts take too long.
        _overwriteRing(state.index);
        assertFalse(rollup.isLive(state));
        _slashFails(state, IAttesters.NotFallen.selector);
        attesters.settle(state);
        assertEq(attesters.outstanding(), 0);
    }

    function test_settle_fallenAndForgotten_reverts_slashStillWorks() public {
        _attest(state, 7);
        _fast(state, credits, 0);
        _prove(state, headers[lane][0]);
        _overwriteRing(state.index);
        vm.expectRevert(abi.encodeWithSelector(IAttesters.NotSettleable.selector, hash));
        attesters.settle(state);
        attesters.slash(state);
        assertEq(vault.paidOut(lane), 0);
    }

    /// Makes the rollup say what it says once batch index + 65 536 is on L1.
    function _overwriteRing(uint64 index) internal {
        Header memory genesis = headers[lane][0];
        genesis.index = index + uint64(Limits.RING_SIZE);
        bytes memory info = abi.encode(rollup.lane(lane));
        // The tip is the sixth word of LaneInfo.
        uint256 tip = genesis.index;
        assembly ("memory-safe") {
            mstore(add(info, 0xc0), tip)
        }
        vm.mockCall(address(rollup), abi.encodeCall(rollup.lane, (lane)), info);
        vm.mockCall(address(rollup), abi.encodeCall(rollup.isLive, (state)), abi.encode(false));
        vm.mockCall(address(rollup), abi.encodeCall(rollup.isFinal, (state)), abi.encode(false));
    }
}
