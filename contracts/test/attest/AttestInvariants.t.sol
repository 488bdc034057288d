// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Attester} from "../../src/interfaces/IAttesters.sol";
import {Header} from "../../src/protocol/Header.sol";
import {Limits} from "../../src/protocol/Limits.sol";
import {AttestFixture} from "./AttestFixture.sol";

/// @notice Attesters who sign true and false batches of a lane at random, owners who withdraw fast, and a lane besides in which
/// nothing is attested. Every action is one that somebody could take.
contract AttestHandler is AttestFixture {
    uint32 public other;
    uint256 public ghostRefilled;
    uint256 public ghostPaid;
    uint256 public ghostUncovered;
    uint256[] internal credits;
    Header[] internal attested;
    mapping(bytes32 root => uint256[]) internal creditsOf;

    constructor() {
        setUp();
        _enrolDrivers(2);
        credits = [uint256(0), 0];
        _bond(operator, 1_000 ether);
        other = _openLane();
        _pass(60);
        _fund(lane, 20_000_000_000);
        _fund(other, 5_000_000);
        _joinMany(4);
    }

    function pass(uint256 seconds_) external {
        _pass(bound(seconds_, 12, 5 * DAY));
    }

    function fund(uint256 amount) external {
        _fund(lane, bound(amount, 1, 1_000_000_000));
    }

    function join(uint256 stake) external {
        (uint32[] memory ids,) = attesters.attesters();
        if (ids.length < 7) _join(bound(stake, Limits.MIN_STAKE_MICRO, 4 * STAKE));
    }

    function goAway(uint256 pick) external {
        (uint32[] memory ids, Attester[] memory found) = attesters.attesters();
        if (ids.length < 3) return;
        uint256 i = pick % ids.length;
        vm.startPrank(found[i].owner);
        if (found[i].releaseAt == 0) attesters.announceLeave(ids[i]);
        else if (_now() >= found[i].releaseAt) attesters.withdrawStake(ids[i], found[i].owner);
        vm.stopPrank();
    }

    function post(uint256 slot, uint256 amount) external {
        credits[slot % 2] += bound(amount, 0, 400_000_000);
        Header memory header = _postCredits(credits);
        creditsOf[header.postRoot] = credits;
        _pass(12);
    }

    /// Of the newest batches: everyone who may sign, or all but one.
    function attest(uint256 pick, uint256 silent) external {
        Header[] storage all = headers[lane];
        if (all.length < 2) return;
        Header memory header = all[all.length - 1 - bound(pick, 0, all.length < 5 ? all.length - 2 : 3)];
        (uint32[] memory ids, Attester[] memory found) = attesters.attesters();
        uint256 bitmap = 0;
        for (uint256 i = 0; i < ids.length; ++i) {
            if (found[i].releaseAt == 0 && silent % 5 != i) bitmap |= uint256(1) << ids[i];
        }
        _attest(header, bitmap);
        attested.push(header);
    }

    function withdrawFast(uint256 pick, uint256 slot) external {
        if (attested.length == 0) return;
        Header memory header =
            attested[attested.length - 1 - bound(pick, 0, attested.length < 4 ? attested.length - 1 : 3)];
        uint256[] memory of_ = creditsOf[header.postRoot];
        ghostPaid += vault.withdrawFast(header, _parts(of_), _claim(of_, uint32(slot % 2)));
    }

    function prove(uint256 depth) external {
        uint256 count = headers[lane].length;
        if (count < 2) return;
        uint256 index = count - 1 - bound(depth, 0, count - 2 < 3 ? count - 2 : 3);
        Header memory bad = headers[lane][index];
        if (rollup.isFinal(bad) || _now() + 30 >= rollup.requireLive(bad) + Limits.WINDOW_SECONDS) return;
        _prove(bad, headers[lane][index - 1]);
        credits = index == 1 ? new uint256[](2) : creditsOf[headers[lane][index - 1].postRoot];
    }

    function slash(uint256 pick) external {
        if (attested.length == 0) return;
        Header memory header = attested[pick % attested.length];
        uint256 owed = attesters.attestation(keccak256(abi.encode(header))).drawn;
        uint256 before = vault.paidOut(lane);
        uint256 held = _held(address(vault));
        vm.prank(stranger);
        attesters.slash(header);
        uint256 refilled = before - vault.paidOut(lane);
        if (_held(address(vault)) - held != refilled) revert AssertionFailed("a refill without money");
        // Signers may be gone three weeks after a batch that nobody cared to slash for.
        if (refilled < owed && _now() < header.asOf + 21 * DAY) ghostUncovered += owed - refilled;
        ghostRefilled += refilled;
    }

    function settle(uint256 pick) external {
        if (attested.length == 0) return;
        attesters.settle(attested[pick % attested.length]);
    }

    // --- Observations

    function books() external view returns (uint256 lifetime, uint256 paidOut, uint256 inVault) {
        return (vault.lifetimeFunding(lane), vault.paidOut(lane), _held(address(vault)));
    }

    function otherBooks() external view returns (uint256 lifetime, uint256 paidOut) {
        return (vault.lifetimeFunding(other), vault.paidOut(other));
    }

    function stakes() external view returns (uint256 staked, uint256 counted, uint256 total, uint256 kept) {
        (, Attester[] memory found) = attesters.attesters();
        for (uint256 i = 0; i < found.length; ++i) {
            staked += found[i].stake;
            if (found[i].releaseAt == 0) counted += found[i].stake;
        }
        return (staked, counted, attesters.totalStake(), attesters.reserve());
    }

    function drawn() external view returns (uint256 sum, uint256 outstanding, uint256 ofLane) {
        for (uint256 i = 0; i < attested.length; ++i) {
            sum += attesters.attestation(keccak256(abi.encode(attested[i]))).drawn;
        }
        return (sum, attesters.outstanding(), attesters.laneOutstanding(lane));
    }

    function inAttesters() external view returns (uint256) {
        return _held(address(attesters));
    }
}

/// forge-config: default.invariant.runs = 16
/// forge-config: default.invariant.depth = 80
contract AttestInvariantTest is AttestFixture {
    AttestHandler internal handler;

    function setUp() public override {
        handler = new AttestHandler();
        targetContract(address(handler));
        bytes4[] memory selectors = new bytes4[](12);
        selectors[0] = handler.pass.selector;
        selectors[1] = handler.fund.selector;
        selectors[2] = handler.join.selector;
        selectors[3] = handler.goAway.selector;
        selectors[4] = handler.post.selector;
        selectors[5] = handler.attest.selector;
        selectors[6] = handler.withdrawFast.selector;
        selectors[7] = handler.prove.selector;
        selectors[8] = handler.slash.selector;
        selectors[9] = handler.settle.selector;
        selectors[10] = handler.attest.selector;
        selectors[11] = handler.withdrawFast.selector;
        targetSelector(FuzzSelector(address(handler), selectors));
    }

    /// Never more goes out than was funded and given back, and the vault holds the difference.
    function invariant_paidIsFundedAndRefilled() public view {
        (uint256 lifetime, uint256 paidOut, uint256 inVault) = handler.books();
        assertLe(handler.ghostPaid(), lifetime + handler.ghostRefilled());
        assertEq(paidOut, handler.ghostPaid() - handler.ghostRefilled());
        (uint256 others, uint256 othersPaid) = handler.otherBooks();
        assertEq(othersPaid, 0, "another lane paid");
        assertEq(others, 5_000_000);
        assertEq(inVault, lifetime - paidOut + others);
    }

    /// Whatever fell and was slashed in time was covered.
    function invariant_everyFallIsCovered() public view {
        assertEq(handler.ghostUncovered(), 0);
    }

    function invariant_stakesAndReserveAreTheBalance() public view {
        (uint256 staked, uint256 counted, uint256 total, uint256 kept) = handler.stakes();
        assertEq(handler.inAttesters(), staked + kept);
        assertEq(counted, total);
    }

    function invariant_outstandingIsWhatWasDrawn() public view {
        (uint256 sum, uint256 outstanding, uint256 ofLane) = handler.drawn();
        assertEq(sum, outstanding);
        assertEq(sum, ofLane);
    }
}
