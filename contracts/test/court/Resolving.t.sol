// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ICourt} from "../../src/interfaces/ICourt.sol";
import {IRegistry} from "../../src/interfaces/IRegistry.sol";
import {Claim, IVault, RootParts} from "../../src/interfaces/IVault.sol";
import {Header} from "../../src/protocol/Header.sol";
import {Limits} from "../../src/protocol/Limits.sol";
import {CourtFixture} from "./CourtFixture.sol";

/// What becomes of disputes, and of the money.
contract ResolvingTest is CourtFixture {
    uint24 internal constant RECORD_WH = 10_000;
    uint256 internal constant AMOUNT = 4_000_001;
    uint256 internal constant BOND = Limits.DISPUTE_BOND_MICRO;

    Header internal before;
    Header internal batch;
    bytes32 internal id;

    function setUp() public override {
        super.setUp();
        before = _postCredits(_credits(1_000_000, 500_000));
        _pass(24);
        batch = _postCredits(_credits(1_000_000 + AMOUNT, 500_000));
        id = _exhibit(batch, 0, _record(0, 0, SPAN, RECORD_WH), AMOUNT);
    }

    function _resolveFinal() private {
        _makeFinal();
        court.resolveDispute(1, evseDescriptors[0]);
    }

    function _withdraw(Header memory header, uint256[] memory credits, uint32 slot)
        private
        returns (uint256)
    {
        return vault.withdraw(header, _parts(credits), _claim(credits, slot));
    }

    /// The shares of a deposit's slash, and that nothing stays behind.
    function _assertSlashed(uint256 slashed, uint256 bondBack) private view {
        assertEq(registry.depositTaken(lane, 0), slashed, "slashed");
        assertEq(token.balanceOf(challenger), 1_000_000_000 - BOND + bondBack + slashed / 2, "challenger");
        assertEq(
            token.balanceOf(BURN), (BOND - bondBack) - (BOND - bondBack) / 2 + slashed - slashed / 2, "burned"
        );
        assertEq(token.balanceOf(address(court)), 0, "left in the court");
        assertEq(token.balanceOf(address(registry)), 2 * DEPOSIT - slashed, "deposits");
    }

    // --- Two meters

    function test_resolve_gridAlone_stands() public {
        _dispute(id, _gridReading(id, 7000));
        uint256 clawed = AMOUNT - AMOUNT * 7000 / RECORD_WH;
        _makeFinal();
        vm.expectEmit(address(court));
        emit ICourt.DisputeResolved(1, true, 7000, clawed, clawed, clawed / 2);
        vm.prank(stranger);
        court.resolveDispute(1, evseDescriptors[0]);
        assertEq(_clawback(0), clawed);
        assertEq(_heldFrom(0), 0);
        assertEq(court.exhibitOf(id).clawed, clawed);
        _assertSlashed(clawed, BOND);
        uint256[] memory credits = _credits(1_000_000 + AMOUNT, 500_000);
        assertEq(_withdraw(batch, credits, 0), 1_000_000 + AMOUNT - clawed);
        assertEq(_withdraw(batch, credits, 1), 500_000);
    }

    /// Without a grid meter nobody says that the EVSE lied: its deposit stays.
    function test_resolve_vehicleAlone_lowerStands_depositUntouched() public {
        _dispute(id, _vehicleReading(id, 9000));
        _resolveFinal();
        assertEq(_clawback(0), AMOUNT - AMOUNT * 9000 / RECORD_WH);
        _assertSlashed(0, BOND);
    }

    function test_resolve_zeroReading_takesAll() public {
        _dispute(id, _gridReading(id, 0));
        _resolveFinal();
        assertEq(_clawback(0), AMOUNT);
        _assertSlashed(AMOUNT, BOND);
    }

    function test_resolve_smallDeposit_answersAsFarAsItLasts() public {
        uint256[] memory credits = _credits(1_000_000 + AMOUNT + 9_000_000, 0);
        _pass(24);
        Header memory next = _postCredits(credits);
        bytes32 large = _exhibit(next, 0, _record(0, 0, SPAN + 20, RECORD_WH), 9_000_000);
        _dispute(large, _gridReading(large, 0));
        _makeFinal();
        court.resolveDispute(1, evseDescriptors[0]);
        assertEq(_clawback(0), 9_000_000);
        _assertSlashed(DEPOSIT, BOND);
    }

    // --- Three meters, in every order

    function test_resolve_threeMeters_medianStands() public {
        uint24[3] memory values = [uint24(6000), 8000, 10_000];
        // Of vehicle and grid, with the record at 10 000, in each order; then readings above the record.
        _three(values[0], values[1], 8000, true);
        _three(values[1], values[0], 8000, true);
        _three(values[0], values[2], 10_000, false);
        _three(values[2], values[0], 10_000, false);
        _three(values[0], 12_000, 10_000, false);
        _three(12_000, values[0], 10_000, false);
        _three(values[1], values[1], 8000, true);
        // The median may be within tolerance, though one reading is not.
        _three(9900, 6000, 9900, false);
        _three(6000, 9800, 9800, false);
        _three(6000, 9799, 9799, true);
    }

    function _three(uint24 vehicleWh, uint24 gridWh, uint24 standing, bool upheld) private {
        uint256 snapshot = vm.snapshotState();
        bool gridFirst = gridWh < vehicleWh;
        _dispute(id, gridFirst ? _gridReading(id, gridWh) : _vehicleReading(id, vehicleWh));
        court.answerDispute(1, gridFirst ? _vehicleReading(id, vehicleWh) : _gridReading(id, gridWh));
        _makeFinal();
        uint256 clawed = upheld ? AMOUNT - AMOUNT * standing / RECORD_WH : 0;
        vm.expectEmit(address(court));
        emit ICourt.DisputeResolved(1, upheld, standing, clawed, clawed, clawed / 2);
        court.resolveDispute(1, evseDescriptors[0]);
        assertEq(_clawback(0), clawed);
        _assertSlashed(clawed, upheld ? BOND : 0);
        assertEq(token.balanceOf(laneOwner), upheld ? 0 : BOND / 2, "lane's owner");
        vm.revertToState(snapshot);
    }

    /// A vehicle that repeats the grid meter's reading saves nobody's deposit.
    function test_resolve_vehicleEchoesGrid_depositStillAnswers() public {
        _dispute(id, _gridReading(id, 8000));
        court.answerDispute(1, _vehicleReading(id, 8000));
        _resolveFinal();
        _assertSlashed(AMOUNT - AMOUNT * 8000 / RECORD_WH, BOND);
    }

    // --- When

    function test_resolve_beforeAnswerAndDeadline_reverts() public {
        // The batch's last second but one: it is final long before the answer is due.
        vm.warp(court.exhibitOf(id).finalAt - 1);
        _dispute(id, _gridReading(id, 7000));
        uint32 until = court.claimOf(1).answerUntil;
        vm.warp(until - 1);
        vm.expectRevert(abi.encodeWithSelector(ICourt.AnswerPending.selector, until));
        court.resolveDispute(1, evseDescriptors[0]);
        uint256 snapshot = vm.snapshotState();
        court.answerDispute(1, _vehicleReading(id, 7000));
        court.resolveDispute(1, evseDescriptors[0]);
        vm.revertToState(snapshot);
        vm.warp(until);
        court.resolveDispute(1, evseDescriptors[0]);
    }

    function test_resolve_beforeFinal_reverts() public {
        _dispute(id, _gridReading(id, 7000));
        court.answerDispute(1, _vehicleReading(id, 7000));
        uint32 finalAt = court.exhibitOf(id).finalAt;
        vm.warp(finalAt - 1);
        vm.expectRevert(abi.encodeWithSelector(ICourt.NotFinal.selector, finalAt));
        court.resolveDispute(1, evseDescriptors[0]);
        vm.warp(finalAt);
        court.resolveDispute(1, evseDescriptors[0]);
    }

    function test_resolve_twice_reverts() public {
        _dispute(id, _gridReading(id, 7000));
        _resolveFinal();
        vm.expectRevert(abi.encodeWithSelector(ICourt.ClaimClosed.selector, 1));
        court.resolveDispute(1, evseDescriptors[0]);
        vm.expectRevert(abi.encodeWithSelector(ICourt.UnknownClaim.selector, 2));
        court.resolveDispute(2, evseDescriptors[0]);
    }

    function test_resolve_otherEvsesDescriptor_reverts() public {
        _dispute(id, _gridReading(id, 7000));
        _makeFinal();
        vm.expectRevert(abi.encodeWithSelector(IRegistry.WrongDescriptor.selector, 0));
        court.resolveDispute(1, evseDescriptors[1]);
    }

    // --- Rolled back

    function test_resolve_batchFell_isVoid_andRecordCanBeDisputedAgain() public {
        _dispute(id, _gridReading(id, 7000));
        _fell(batch);
        vm.expectEmit(address(court));
        emit ICourt.DisputeVoid(1);
        court.resolveDispute(1, "");
        assertEq(_clawback(0), 0);
        assertEq(_heldFrom(0), 0);
        _assertSlashed(0, BOND);

        batch = _postCredits(_credits(1_000_000 + AMOUNT, 500_000));
        bytes32 again = _exhibit(batch, 0, _record(0, 0, SPAN, RECORD_WH), AMOUNT);
        assertEq(_dispute(again, _gridReading(again, 7000)), 2);
        _makeFinal();
        court.resolveDispute(2, evseDescriptors[0]);
        assertEq(_clawback(0), AMOUNT - AMOUNT * 7000 / RECORD_WH);
    }

    function test_resolve_ancestorFell_isVoid() public {
        _dispute(id, _gridReading(id, 7000));
        _fell(before);
        _post(lane);
        _pass(24);
        _post(lane);
        _makeFinal();
        court.resolveDispute(1, evseDescriptors[0]);
        assertEq(_clawback(0), 0);
        _assertSlashed(0, BOND);
    }

    function test_resolve_laterBatchFell_changesNothing() public {
        _pass(24);
        Header memory later = _post(lane);
        _dispute(id, _gridReading(id, 7000));
        _fell(later);
        _resolveFinal();
        assertEq(_clawback(0), AMOUNT - AMOUNT * 7000 / RECORD_WH);
    }

    // --- Holds and withdrawals

    function test_hold_stopsBatchesFromTheRecordsOn_notEarlierOnes() public {
        _dispute(id, _gridReading(id, 7000));
        _makeFinal();
        uint256[] memory later = _credits(1_000_000 + AMOUNT, 500_000);
        uint256[] memory earlier = _credits(1_000_000, 500_000);
        RootParts memory parts = _parts(later);
        Claim[] memory claims = _claims(later);
        vm.expectRevert(abi.encodeWithSelector(IVault.Held.selector, 0, batch.index));
        vault.withdraw(batch, parts, claims[0]);
        // Others of the same call are paid.
        assertEq(vault.withdrawMany(batch, parts, claims), 500_000);
        assertEq(_withdraw(before, earlier, 0), 1_000_000);
        court.resolveDispute(1, evseDescriptors[0]);
        uint256 clawed = AMOUNT - AMOUNT * 7000 / RECORD_WH;
        assertEq(_withdraw(batch, later, 0), AMOUNT - clawed);
        assertEq(token.balanceOf(owners[0]), 1_000_000 + AMOUNT - clawed);
    }

    /// As after a fast withdrawal: what was paid of the record is taken from later credits, and never below zero.
    function test_clawback_afterPayment_comesOutOfLaterCredits() public {
        uint256[] memory credits = _credits(1_000_000 + AMOUNT, 500_000);
        // Paid before anybody disputed. The vault pays final batches; a later dispute needs one that isn't.
        _makeFinal();
        _withdraw(batch, credits, 0);
        credits[0] += 5_000_000;
        Header memory next = _postCredits(credits);
        bytes32 disputed = _exhibit(next, 0, _record(0, 0, SPAN + 20, RECORD_WH), 5_000_000);
        vm.prank(address(court));
        vault.clawBack(lane, 0, 3_000_000);
        _dispute(disputed, _gridReading(disputed, 5000));
        _makeFinal();
        court.resolveDispute(1, evseDescriptors[0]);
        // 5 000 000 more credited, 3 000 000 and 2 500 000 clawed back: 500 000 too much was paid.
        RootParts memory parts = _parts(credits);
        Claim memory claim = _claim(credits, 0);
        vm.expectRevert(abi.encodeWithSelector(IVault.NothingToWithdraw.selector, 0));
        vault.withdraw(next, parts, claim);
        credits[0] += 600_000;
        next = _postCredits(credits);
        _makeFinal();
        assertEq(_withdraw(next, credits, 0), 100_000);
        assertEq(vault.withdrawn(lane, 0) + _clawback(0), credits[0]);
    }

    function test_hold_twoDisputesOnOneContract_earliestCounts() public {
        uint256[] memory credits = _credits(1_000_000 + AMOUNT, 900_000);
        _pass(24);
        Header memory next = _postCredits(credits);
        bytes32 later = _exhibit(next, 0, _record(1, 0, SPAN + 20, RECORD_WH), 400_000);
        assertEq(_dispute(later, _gridReading(later, 7000)), 1);
        assertEq(_heldFrom(0), next.index);
        assertEq(_dispute(id, _gridReading(id, 7000)), 2);
        assertEq(_heldFrom(0), batch.index);
        _makeFinal();
        // The later one first: the hold of the earlier stays.
        court.resolveDispute(1, evseDescriptors[1]);
        assertEq(_heldFrom(0), batch.index);
        court.resolveDispute(2, evseDescriptors[0]);
        assertEq(_heldFrom(0), 0);
        uint256 clawed = AMOUNT - AMOUNT * 7000 / RECORD_WH + 400_000 - 400_000 * 7000 / uint256(RECORD_WH);
        assertEq(_clawback(0), clawed);
        assertEq(_withdraw(next, credits, 0), credits[0] - clawed);
        assertEq(_withdraw(next, credits, 1), credits[1]);
    }

    function test_hold_twoDisputes_earlierResolvedFirst_laterStays() public {
        _pass(DAY);
        Header memory next = _postCredits(_credits(1_000_000 + AMOUNT, 900_000));
        bytes32 later = _exhibit(next, 0, _record(1, 0, SPAN + 20, RECORD_WH), 400_000);
        _dispute(later, _gridReading(later, 7000));
        _dispute(id, _gridReading(id, 7000));
        vm.warp(court.exhibitOf(id).finalAt);
        court.resolveDispute(2, evseDescriptors[0]);
        assertEq(_heldFrom(0), next.index);
        assertGt(_withdraw(batch, _credits(1_000_000 + AMOUNT, 500_000), 0), 0);
    }

    /// More claims than one call clears away: the rest is anybody's to clear, and holds until then.
    function test_hold_manyClosedBeneathOpenOne_areClearedInParts() public {
        for (uint32 i = 0; i < 20; ++i) {
            bytes32 next = _exhibit(batch, i + 1, _record(0, 0, SPAN + 20 * (i + 1), RECORD_WH), 1000);
            _dispute(next, _gridReading(next, 7000));
        }
        _dispute(id, _gridReading(id, 7000));
        _makeFinal();
        for (uint256 i = 21; i > 1; --i) {
            court.resolveDispute(i, evseDescriptors[0]);
        }
        assertEq(_heldFrom(0), batch.index);
        court.resolveDispute(1, evseDescriptors[0]);
        assertEq(_heldFrom(0), batch.index);
        court.releaseHold(lane, 0);
        assertEq(_heldFrom(0), 0);
        court.releaseHold(lane, 0);
        assertEq(_heldFrom(0), 0);
    }

    function test_hold_onlyTheCourt() public {
        vm.expectRevert(abi.encodeWithSelector(IVault.NotCourt.selector, address(this)));
        vault.setHold(lane, 0, 1);
        vm.expectRevert(abi.encodeWithSelector(IVault.NotCourt.selector, address(this)));
        vault.clawBack(lane, 0, 1);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.NotCourt.selector, address(this)));
        registry.endByCourt(lane, 0);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.NotCourt.selector, address(this)));
        registry.takeDeposit(lane, 0, 1, evseDescriptors[0]);
    }

    // --- A recipient that the token refuses

    function test_resolve_ownerRefusedByToken_isDueInstead() public {
        _dispute(id, _vehicleReading(id, 7000));
        court.answerDispute(1, _gridReading(id, 10_000));
        _makeFinal();
        vm.mockCall(
            address(token), abi.encodeWithSelector(token.transfer.selector, laneOwner), abi.encode(false)
        );
        court.resolveDispute(1, evseDescriptors[0]);
        assertEq(_heldFrom(0), 0);
        assertEq(court.dueOf(laneOwner), BOND / 2);
        vm.clearMockedCalls();
        vm.prank(laneOwner);
        court.collect(stranger);
        assertEq(token.balanceOf(stranger), BOND / 2);
        vm.prank(laneOwner);
        vm.expectRevert(abi.encodeWithSelector(ICourt.NothingDue.selector, laneOwner));
        court.collect(stranger);
    }
}
