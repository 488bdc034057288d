// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Claim, ICourt, Reading} from "../../src/interfaces/ICourt.sol";
import {Header} from "../../src/protocol/Header.sol";
import {Limits} from "../../src/protocol/Limits.sol";
import {CourtFixture} from "./CourtFixture.sol";

/// Opening and answering: whose reading counts, when, and what is held.
contract DisputesTest is CourtFixture {
    uint24 internal constant RECORD_WH = 10_000;
    uint256 internal constant AMOUNT = 4_000_000;

    Header internal batch;
    bytes32 internal id;

    function setUp() public override {
        super.setUp();
        batch = _post(lane);
        id = _exhibit(batch, 0, _record(0, 0, SPAN, RECORD_WH), AMOUNT);
    }

    function _refused(Reading memory reading, bytes memory reason) private {
        vm.prank(challenger);
        vm.expectRevert(reason);
        court.openDispute(id, reading);
    }

    // --- Opening

    function test_open_gridReading_takesBondAndHolds() public {
        Reading memory reading = _gridReading(id, 8000);
        uint64 until = uint64(_now() + Limits.DISPUTE_ANSWER_SECONDS);
        vm.expectEmit(address(court));
        emit ICourt.DisputeOpened(1, id, lane, challenger, GRID, 8000, until);
        assertEq(_dispute(id, reading), 1);
        assertEq(token.balanceOf(address(court)), Limits.DISPUTE_BOND_MICRO);
        assertEq(_heldFrom(0), batch.index);
        assertEq(_heldFrom(1), 0);
        Claim memory claim = court.claimOf(1);
        assertEq(claim.exhibit, id);
        assertEq(claim.challenger, challenger);
        assertEq(claim.gridWh, 8000);
        assertEq(claim.filed, GRID);
        assertEq(court.disputeOf(lane, 0, SPAN), 1);
    }

    function test_open_vehicleReading_opens() public {
        assertEq(_dispute(id, _vehicleReading(id, 0)), 1);
        assertEq(court.claimOf(1).filed, VEHICLE);
    }

    function test_open_withinTolerance_reverts() public {
        Reading memory reading = _gridReading(id, 9800);
        _refused(reading, abi.encodeWithSelector(ICourt.WithinTolerance.selector, RECORD_WH, 9800));
        _dispute(id, _gridReading(id, 9799));
    }

    function test_open_readingAboveRecord_reverts() public {
        Reading memory reading = _vehicleReading(id, 12_000);
        _refused(reading, abi.encodeWithSelector(ICourt.WithinTolerance.selector, RECORD_WH, 12_000));
    }

    function test_open_sameRecordTwice_reverts() public {
        _dispute(id, _gridReading(id, 8000));
        _refused(_gridReading(id, 7000), abi.encodeWithSelector(ICourt.AlreadyDisputed.selector, 1));
        _refused(_vehicleReading(id, 7000), abi.encodeWithSelector(ICourt.AlreadyDisputed.selector, 1));
    }

    function test_open_unknownExhibit_reverts() public {
        Reading memory reading = _gridReading(id, 8000);
        id = bytes32(uint256(7));
        _refused(reading, abi.encodeWithSelector(ICourt.UnknownExhibit.selector, id));
    }

    function test_open_windowClosed_reverts() public {
        Reading memory reading = _gridReading(id, 8000);
        uint32 finalAt = court.exhibitOf(id).finalAt;
        vm.warp(finalAt);
        _refused(reading, abi.encodeWithSelector(ICourt.WindowClosed.selector, finalAt));
        vm.warp(finalAt - 1);
        _dispute(id, reading);
    }

    function test_open_batchFell_reverts() public {
        Reading memory reading = _gridReading(id, 8000);
        _fell(batch);
        _refused(reading, abi.encodeWithSelector(ICourt.BatchFell.selector, id));
    }

    function test_open_withoutBond_reverts() public {
        Reading memory reading = _gridReading(id, 8000);
        vm.prank(stranger);
        vm.expectRevert();
        court.openDispute(id, reading);
        assertEq(_heldFrom(0), 0);
    }

    // --- Whose reading

    function test_reading_ofOtherEnergy_reverts() public {
        Reading memory reading = _gridReading(id, 8000);
        reading.energyWh = 7999;
        _refused(reading, abi.encodeWithSelector(ICourt.BadReading.selector, GRID));
        reading = _vehicleReading(id, 8000);
        reading.energyWh = 7999;
        _refused(reading, abi.encodeWithSelector(ICourt.BadReading.selector, VEHICLE));
    }

    function test_reading_ofOtherSpan_reverts() public {
        bytes32 other = _exhibit(batch, 1, _record(0, 0, SPAN + 20, RECORD_WH), AMOUNT);
        Reading memory reading = _gridReading(other, 8000);
        _refused(reading, abi.encodeWithSelector(ICourt.BadReading.selector, GRID));
    }

    function test_reading_unknownSource_reverts() public {
        Reading memory reading = _gridReading(id, 8000);
        reading.source = 3;
        _refused(reading, abi.encodeWithSelector(ICourt.UnknownSource.selector, 3));
        reading.source = 0;
        _refused(reading, abi.encodeWithSelector(ICourt.UnknownSource.selector, 0));
    }

    function test_reading_otherContractsKey_reverts() public {
        Reading memory reading =
            _signedReading(_vehicleKey(1), VEHICLE, court.exhibitOf(id), 8000, descriptors[1]);
        _refused(reading, abi.encodeWithSelector(ICourt.WrongDescriptor.selector, 0));
        reading.credentials = descriptors[0];
        _refused(reading, abi.encodeWithSelector(ICourt.BadReading.selector, VEHICLE));
        reading.credentials = "";
        _refused(reading, abi.encodeWithSelector(ICourt.WrongDescriptor.selector, 0));
    }

    function test_reading_contractWithoutKey_reverts() public {
        _enrolWithKey(0);
        id = _exhibit(batch, 1, _record(0, 2, SPAN, RECORD_WH), AMOUNT);
        Reading memory reading = _signedReading(1, VEHICLE, court.exhibitOf(id), 8000, descriptors[2]);
        _refused(reading, abi.encodeWithSelector(ICourt.NoVehicleKey.selector, 2));
    }

    function test_reading_meterOfOtherEvse_reverts() public {
        Reading memory reading =
            _signedReading(METER_KEY, GRID, court.exhibitOf(id), 8000, _gridCredentials(1));
        _refused(reading, abi.encodeWithSelector(ICourt.BadCertificate.selector, 0));
    }

    function test_reading_meterCertifiedByAnother_reverts() public {
        (, uint256 key) = makeAddrAndKey("stranger");
        Reading memory reading = _gridReading(id, 8000);
        reading.credentials = _gridCredentials(key, 0, SPAN, SPAN + 20);
        _refused(reading, abi.encodeWithSelector(ICourt.BadCertificate.selector, 0));
    }

    function test_reading_meterOutsideItsTime_reverts() public {
        Reading memory reading = _gridReading(id, 8000);
        reading.credentials = _gridCredentials(certifierKey, 0, SPAN + 1, SPAN + 20);
        _refused(reading, abi.encodeWithSelector(ICourt.SpanNotCovered.selector, SPAN + 1, SPAN + 20));
        reading.credentials = _gridCredentials(certifierKey, 0, SPAN, SPAN + 19);
        _refused(reading, abi.encodeWithSelector(ICourt.SpanNotCovered.selector, SPAN, SPAN + 19));
        reading.credentials = _gridCredentials(certifierKey, 0, SPAN, SPAN + 20);
        _dispute(id, reading);
    }

    // --- Answering

    function test_answer_otherMeter_isFiled() public {
        _dispute(id, _gridReading(id, 8000));
        Reading memory reading = _vehicleReading(id, 9900);
        vm.expectEmit(address(court));
        emit ICourt.DisputeAnswered(1, VEHICLE, 9900);
        vm.prank(stranger);
        court.answerDispute(1, reading);
        Claim memory claim = court.claimOf(1);
        assertEq(claim.filed, VEHICLE | GRID);
        assertEq(claim.vehicleWh, 9900);
        assertEq(claim.gridWh, 8000);
        assertEq(claim.challenger, challenger);
    }

    function test_answer_sameMeterAgain_reverts() public {
        _dispute(id, _gridReading(id, 8000));
        Reading memory reading = _gridReading(id, 10_000);
        vm.expectRevert(abi.encodeWithSelector(ICourt.AlreadyFiled.selector, GRID));
        court.answerDispute(1, reading);
    }

    function test_answer_forged_reverts() public {
        _dispute(id, _gridReading(id, 8000));
        Reading memory reading = _vehicleReading(id, 10_000);
        reading.r ^= bytes32(uint256(1));
        vm.expectRevert(abi.encodeWithSelector(ICourt.BadReading.selector, VEHICLE));
        court.answerDispute(1, reading);
    }

    function test_answer_late_reverts() public {
        _dispute(id, _gridReading(id, 8000));
        Reading memory reading = _vehicleReading(id, 10_000);
        uint32 until = court.claimOf(1).answerUntil;
        vm.warp(until);
        vm.expectRevert(abi.encodeWithSelector(ICourt.AnswerClosed.selector, until));
        court.answerDispute(1, reading);
        vm.warp(until - 1);
        court.answerDispute(1, reading);
    }

    function test_answer_noSuchDispute_reverts() public {
        Reading memory reading = _vehicleReading(id, 10_000);
        vm.expectRevert(abi.encodeWithSelector(ICourt.UnknownClaim.selector, 1));
        court.answerDispute(1, reading);
    }
}
