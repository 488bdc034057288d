// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

import {IFraudVerifier, LaneContext} from "../../src/interfaces/IFraudVerifier.sol";
import {IRollup, LaneInfo, Submission} from "../../src/interfaces/IRollup.sol";
import {Header, HeaderLib} from "../../src/protocol/Header.sol";
import {Limits} from "../../src/protocol/Limits.sol";
import {Fixture} from "./Fixture.sol";

contract FraudTest is Fixture {
    address internal constant BURN = 0x000000000000000000000000000000000000dEaD;
    bytes31 internal constant CLAIMED = bytes31(uint248(1));
    bytes31 internal constant COMPUTED = bytes31(uint248(2));

    Header internal parent;
    Header internal bad;
    bool internal reenter;
    bytes4 internal reentryError;

    function setUp() public override {
        super.setUp();
        parent = _post(lane);
        _pass(24);
        bad = _post(lane);
        verifier.answer(CLAIMED, COMPUTED);
    }

    function _proveAs(address who, uint32 chunk, bytes memory reason) internal {
        vm.prank(who);
        if (reason.length != 0) vm.expectRevert(reason);
        rollup.proveFraud(bad, parent, chunk, "salt", "proof");
    }

    // --- Success

    function test_proveFraud_wrongRoot_rollsBackAndSlashes() public {
        _pass(24);
        Header memory child = _post(lane);
        _commit(bad, 0, prover, "salt");
        _pass(12);
        verifier.expectContext(LaneContext(zone, 0, rollup.domainOf(lane), parent.postRoot));

        bytes32 badHash = HeaderLib.hash(bad);
        uint256 half = Limits.SLASH_WEI / 2;
        vm.expectEmit(address(rollup));
        emit IRollup.BatchesRolledBack(lane, 2, badHash, prover);
        vm.expectEmit(address(rollup));
        emit IRollup.BondSlashed(operator, Limits.SLASH_WEI, half, half);
        vm.expectEmit(address(rollup));
        emit IRollup.FraudProven(lane, 2, prover, 0, CLAIMED, COMPUTED, half);
        _proveAs(prover, 0, "");

        assertEq(prover.balance, half);
        assertEq(BURN.balance, half);
        (uint256 bond,) = rollup.bondOf(operator);
        assertEq(bond, Limits.MIN_BOND_WEI - Limits.SLASH_WEI);
        LaneInfo memory info = rollup.lane(lane);
        assertEq(info.tip, 1);
        assertEq(info.tipAsOf, parent.asOf);
        assertEq(info.operator, operator);
        assertTrue(rollup.isLive(parent));
        assertFalse(rollup.isLive(bad));
        assertFalse(rollup.isLive(child));
    }

    function test_proveFraud_fallenBatches_stayDeadWhenOthersTakeTheirPlace() public {
        _pass(24);
        Header memory child = _post(lane);
        _prove(bad, parent);
        _bond(operator, Limits.SLASH_WEI);
        Submission memory submission = _submission(lane, 1);
        submission.postRoot = bytes31(keccak256("corrected"));
        _post(submission);
        assertFalse(rollup.isLive(bad));
        // The tip is 2 again: index 3's ring word is still the fallen child's.
        assertEq(rollup.lane(lane).tip, 2);
        assertFalse(rollup.isLive(child));
        _post(lane);
        assertFalse(rollup.isLive(child));
    }

    function test_proveFraud_sameBatchAgain_isNotLive() public {
        _prove(bad, parent);
        _commit(bad, 0, prover, "salt");
        _pass(12);
        _proveAs(prover, 0, abi.encodeWithSelector(IRollup.NotLive.selector, lane, 2));
    }

    function test_proveFraud_firstBatch_fallsBackToGenesis() public {
        Header memory genesis = headers[lane][0];
        _prove(parent, genesis);
        LaneInfo memory info = rollup.lane(lane);
        assertEq(info.tip, 0);
        assertEq(info.tipAsOf, genesis.asOf);
        assertTrue(rollup.isLive(genesis));
    }

    /// A submitter that puts nonsense into the unchecked bytes of parentHash gains nothing by it.
    function test_proveFraud_uncheckedParentBytesWrong_stillProvable() public {
        _pass(24);
        parent = _tip(lane);
        Submission memory submission = _submission(lane, 1);
        submission.parentHash ^= bytes32(uint256(0xffffffff));
        bad = _post(submission);
        assertNotEq(bad.parentHash, HeaderLib.hash(parent));
        _prove(bad, parent);
        assertFalse(rollup.isLive(bad));
        assertEq(rollup.lane(lane).tip, 2);
    }

    function test_proveFraud_bondSmallerThanSlash_takesWhatIsLeft() public {
        uint32 other = _openLane();
        _pass(12);
        Header memory inOther = _post(other);
        _bond(operator, 2 ether);
        _prove(bad, parent);
        _prove(parent, headers[lane][0]);
        (uint256 bond,) = rollup.bondOf(operator);
        assertEq(bond, 2 ether);
        uint256 before = prover.balance;
        _prove(inOther, headers[other][0]);
        (bond,) = rollup.bondOf(operator);
        assertEq(bond, 0);
        assertEq(prover.balance - before, 1 ether);
        assertEq(address(rollup).balance, 0);
    }

    function test_proveFraud_emptyBond_stillRollsBack() public {
        vm.prank(laneOwner);
        uint32 second = rollup.openLane(zone, operator, 0);
        headers[second].push(_genesis(second, uint32(_now())));
        vm.prank(laneOwner);
        uint32 third = rollup.openLane(zone, operator, 0);
        headers[third].push(_genesis(third, uint32(_now())));
        _pass(12);
        Header memory inSecond = _post(second);
        Header memory inThird = _post(third);
        _prove(bad, parent);
        _prove(inSecond, headers[second][0]);
        uint256 before = prover.balance;
        _prove(inThird, headers[third][0]);
        assertEq(prover.balance, before);
        assertFalse(rollup.isLive(inThird));
    }

    function test_proveFraud_leavesOtherLanesAlone() public {
        uint32 other = _openLane();
        _pass(12);
        Header memory posted = _post(other);
        LaneInfo memory before = rollup.lane(other);
        _prove(bad, parent);
        assertEq(keccak256(abi.encode(rollup.lane(other))), keccak256(abi.encode(before)));
        assertTrue(rollup.isLive(posted));
    }

    // --- Refusals

    function test_proveFraud_honestRoot_reverts() public {
        verifier.answer(COMPUTED, COMPUTED);
        _commit(bad, 0, prover, "salt");
        _pass(12);
        _proveAs(prover, 0, abi.encodeWithSelector(IRollup.NotFraud.selector, COMPUTED));
        assertTrue(rollup.isLive(bad));
    }

    function test_proveFraud_badWitness_bubblesVerifiersError() public {
        _commit(bad, 0, prover, "salt");
        _pass(12);
        vm.prank(prover);
        vm.expectRevert(abi.encodeWithSelector(IFraudVerifier.WrongOpening.selector));
        rollup.proveFraud(bad, parent, 0, "salt", "");
    }

    function test_proveFraud_windowClosed_reverts() public {
        uint256 closedAt = _now() + Limits.WINDOW_SECONDS;
        vm.warp(closedAt - 12);
        _commit(bad, 0, prover, "salt");
        vm.roll(block.number + 1);
        vm.warp(closedAt);
        _proveAs(prover, 0, abi.encodeWithSelector(IRollup.WindowClosed.selector, closedAt));
        assertTrue(rollup.isFinal(bad));
        vm.warp(closedAt - 1);
        _proveAs(prover, 0, "");
    }

    function test_proveFraud_genesis_reverts() public {
        Header memory genesis = headers[lane][0];
        vm.expectRevert(abi.encodeWithSelector(IRollup.GenesisNotProvable.selector));
        rollup.proveFraud(genesis, genesis, 0, "salt", "proof");
    }

    function test_proveFraud_wrongParentHeader_reverts() public {
        _commit(bad, 0, prover, "salt");
        _pass(12);
        Header memory wrong = parent;
        wrong.postRoot = CLAIMED;
        vm.prank(prover);
        vm.expectRevert(
            abi.encodeWithSelector(IRollup.WrongParentHeader.selector, bad.parentHash, HeaderLib.hash(wrong))
        );
        rollup.proveFraud(bad, wrong, 0, "salt", "proof");
    }

    function test_proveFraud_chunkOutOfRange_reverts() public {
        _commit(bad, 1, prover, "salt");
        _pass(12);
        _proveAs(prover, 1, abi.encodeWithSelector(IRollup.ChunkOutOfRange.selector, 1, 1));
    }

    function test_proveFraud_noCommitment_reverts() public {
        bytes32 commitment = keccak256(abi.encode(HeaderLib.hash(bad), uint32(0), prover, bytes32("salt")));
        _proveAs(prover, 0, abi.encodeWithSelector(IRollup.UnknownCommitment.selector, commitment));
    }

    function test_proveFraud_copiedProof_reverts() public {
        _commit(bad, 0, prover, "salt");
        _pass(12);
        bytes32 commitment = keccak256(abi.encode(HeaderLib.hash(bad), uint32(0), stranger, bytes32("salt")));
        _proveAs(stranger, 0, abi.encodeWithSelector(IRollup.UnknownCommitment.selector, commitment));
    }

    function test_proveFraud_commitmentOfSameBlock_reverts() public {
        _commit(bad, 0, prover, "salt");
        _proveAs(prover, 0, abi.encodeWithSelector(IRollup.CommitmentTooYoung.selector));
        vm.roll(block.number + 1);
        _proveAs(prover, 0, "");
    }

    function test_proveFraud_commitmentADayOld_reverts() public {
        _commit(bad, 0, prover, "salt");
        _pass(DAY);
        _proveAs(prover, 0, abi.encodeWithSelector(IRollup.CommitmentExpired.selector));
        vm.warp(_now() - 1);
        _proveAs(prover, 0, "");
    }

    function test_proveFraud_usesCommitmentUp() public {
        bytes32 commitment = _commit(bad, 0, prover, "salt");
        _pass(12);
        _proveAs(prover, 0, "");
        // Free to be made again, so it is gone.
        vm.expectEmit(address(rollup));
        emit IRollup.FraudCommitted(commitment, stranger);
        vm.prank(stranger);
        rollup.commitFraud(commitment);
    }

    function test_commitFraud_again_reverts() public {
        bytes32 commitment = _commit(bad, 0, prover, "salt");
        vm.expectRevert(abi.encodeWithSelector(IRollup.CommitmentExists.selector, commitment));
        rollup.commitFraud(commitment);
    }

    function test_proveFraud_finalBatch_neverFalls() public {
        _makeFinal();
        _commit(bad, 0, prover, "salt");
        _pass(12);
        uint256 closedAt = uint256(rollup.requireLive(bad)) + Limits.WINDOW_SECONDS;
        _proveAs(prover, 0, abi.encodeWithSelector(IRollup.WindowClosed.selector, closedAt));
        assertTrue(rollup.isFinal(bad));
    }

    function test_proveFraud_proverCannotReenter() public {
        _commit(bad, 0, address(this), "salt");
        _pass(12);
        reenter = true;
        rollup.proveFraud(bad, parent, 0, "salt", "proof");
        assertEq(
            bytes32(reentryError), bytes32(ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector)
        );
    }

    receive() external payable {
        if (!reenter) return;
        try rollup.withdrawBond(payable(address(this))) {
            fail("re-entered");
        } catch (bytes memory reason) {
            reentryError = bytes4(reason);
        }
    }
}
