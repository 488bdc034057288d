// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";

import {IRegistry, Zone} from "../../src/interfaces/IRegistry.sol";
import {IRollup} from "../../src/interfaces/IRollup.sol";
import {Limits} from "../../src/protocol/Limits.sol";
import {Enrolment} from "./Enrolment.sol";

contract RegistryTest is Enrolment {
    function _word(bytes memory descriptor, uint256 activeFrom, uint256 endsAt)
        internal
        pure
        returns (bytes32)
    {
        return bytes32(uint256(keccak256(descriptor)) >> 64 << 64 | activeFrom << 32 | endsAt);
    }

    function _registerRefused(bytes memory descriptors, bytes memory reason) internal {
        bytes memory certificate =
            _certificate(certifierKey, lane, registry.evseCount(lane), descriptors, DEADLINE);
        vm.prank(operator);
        vm.expectRevert(reason);
        registry.registerMany(lane, descriptors, DEADLINE, certificate, "");
    }

    // --- Zones

    function test_openZone_storesRoles() public {
        vm.expectEmit(address(registry));
        emit IRegistry.ZoneOpened(1, stranger, publisher, certifier);
        vm.prank(stranger);
        assertEq(registry.openZone(publisher, certifier), 1);
        Zone memory opened = registry.zone(1);
        assertEq(opened.operator, stranger);
        assertEq(opened.publisher, publisher);
        assertEq(opened.certifier, certifier);
        assertEq(registry.zoneCount(), 2);
    }

    function test_zoneOperator_changesInTwoSteps() public {
        vm.prank(zoneOperator);
        registry.proposeZoneOperator(zone, stranger);
        vm.prank(prover);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.NotPendingOperator.selector, zone, prover));
        registry.acceptZoneOperator(zone);
        vm.prank(stranger);
        registry.acceptZoneOperator(zone);
        assertEq(registry.zone(zone).operator, stranger);
        assertEq(registry.zone(zone).pendingOperator, address(0));
        vm.prank(zoneOperator);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.NotZoneOperator.selector, zone, zoneOperator));
        registry.setZoneRoles(zone, stranger, stranger);
    }

    function test_setZoneRoles_changesRoles() public {
        vm.prank(zoneOperator);
        registry.setZoneRoles(zone, stranger, prover);
        assertEq(registry.zone(zone).publisher, stranger);
        assertEq(registry.zone(zone).certifier, prover);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.UnknownZone.selector, 5));
        registry.setZoneRoles(5, stranger, stranger);
    }

    // --- Registering

    function test_registerMany_storesWordsAndEmitsDescriptors() public {
        bytes memory descriptors = bytes.concat(_evse(1, 0), _evse(2, 0), _evse(3, 0));
        uint256 activeFrom = _now() + Limits.NOTICE_SECONDS;
        bytes memory certificate = _certificate(certifierKey, lane, 0, descriptors, DEADLINE);
        vm.expectEmit(address(registry));
        emit IRegistry.EvsesRegistered(lane, 0, uint32(activeFrom), descriptors);
        vm.prank(operator);
        assertEq(registry.registerMany(lane, descriptors, DEADLINE, certificate, ""), 0);
        for (uint32 slot = 0; slot < 3; ++slot) {
            assertEq(registry.evseWord(lane, slot), _word(_evse(slot + 1, 0), activeFrom, type(uint32).max));
        }
        assertEq(registry.evseCount(lane), 3);
        assertEq(_register(_evse(4, 0)), 3);
        uint32[] memory slots = new uint32[](3);
        (slots[0], slots[1], slots[2]) = (3, 4, uint32(Limits.MAX_SLOTS));
        bytes32[] memory words = registry.evseWords(lane, slots);
        assertEq(words[0], _word(_evse(4, 0), activeFrom, type(uint32).max));
        assertEq(words[1], bytes32(0));
        assertEq(words[2], bytes32(0));
        assertEq(registry.evseWord(lane, type(uint32).max), bytes32(0));
        assertEq(registry.contractWord(lane, 0), bytes32(0));
    }

    function test_registerMany_notAgent_reverts() public {
        bytes memory certificate = _certificate(certifierKey, lane, 0, _evse(1, 0), DEADLINE);
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.NotLaneAgent.selector, lane, stranger));
        registry.registerMany(lane, _evse(1, 0), DEADLINE, certificate, "");
        vm.expectRevert(abi.encodeWithSelector(IRollup.UnknownLane.selector, 8));
        registry.registerMany(8, _evse(1, 0), DEADLINE, certificate, "");
    }

    function test_registerMany_wrongLength_reverts() public {
        _registerRefused("", abi.encodeWithSelector(IRegistry.NoDescriptors.selector));
        _registerRefused(new bytes(86), abi.encodeWithSelector(IRegistry.WrongDescriptorLength.selector, 86));
    }

    function test_registerMany_keyNotOnCurve_reverts() public {
        bytes memory second = _evse(2, 0);
        second[63] ^= 0x01;
        bytes memory reason = abi.encodeWithSelector(IRegistry.KeyNotOnCurve.selector, 1);
        _registerRefused(bytes.concat(_evse(1, 0), second), reason);
        bytes memory none =
            abi.encodePacked(new bytes(64), uint24(1), int32(0), int32(0), uint16(0), uint64(0));
        _registerRefused(none, abi.encodeWithSelector(IRegistry.KeyNotOnCurve.selector, 0));
    }

    function test_registerMany_noRatedPower_reverts() public {
        _registerRefused(
            _evseAt(1, 0, 0, 0, 0), abi.encodeWithSelector(IRegistry.RatedPowerOutOfRange.selector, 0)
        );
    }

    function test_registerMany_position_boundsAreExact() public {
        bytes memory reason = abi.encodeWithSelector(IRegistry.PositionOutOfRange.selector, 0);
        _registerRefused(_evseAt(1, 900_000_001, 0, 1, 0), reason);
        _registerRefused(_evseAt(1, -900_000_001, 0, 1, 0), reason);
        _registerRefused(_evseAt(1, 0, 1_800_000_001, 1, 0), reason);
        _registerRefused(_evseAt(1, 0, -1_800_000_001, 1, 0), reason);
        _register(_evseAt(1, 900_000_000, 1_800_000_000, 1, 0));
        _register(_evseAt(1, -900_000_000, -1_800_000_000, type(uint24).max, 0));
    }

    function test_registerMany_certificate_bindsEverything() public {
        bytes memory descriptors = _evse(1, 0);
        bytes memory bad = abi.encodeWithSelector(IRegistry.BadCertificate.selector, lane);
        bytes[] memory wrong = new bytes[](5);
        wrong[0] = _certificate(driverKey, lane, 0, descriptors, DEADLINE);
        wrong[1] = _certificate(certifierKey, lane + 1, 0, descriptors, DEADLINE);
        wrong[2] = _certificate(certifierKey, lane, 1, descriptors, DEADLINE);
        wrong[3] = _certificate(certifierKey, lane, 0, _evse(2, 0), DEADLINE);
        wrong[4] = _certificate(certifierKey, lane, 0, descriptors, DEADLINE + 1);
        for (uint256 i = 0; i < wrong.length; ++i) {
            vm.prank(operator);
            vm.expectRevert(bad);
            registry.registerMany(lane, descriptors, DEADLINE, wrong[i], "");
        }
    }

    function test_registerMany_certificateTwice_reverts() public {
        bytes memory certificate = _certificate(certifierKey, lane, 0, _evse(1, 0), DEADLINE);
        vm.startPrank(operator);
        registry.registerMany(lane, _evse(1, 0), DEADLINE, certificate, "");
        vm.expectRevert(abi.encodeWithSelector(IRegistry.BadCertificate.selector, lane));
        registry.registerMany(lane, _evse(1, 0), DEADLINE, certificate, "");
    }

    function test_registerMany_certificateExpired_reverts() public {
        vm.warp(DEADLINE);
        _register(_evse(1, 0));
        vm.warp(DEADLINE + 1);
        _registerRefused(_evse(2, 0), abi.encodeWithSelector(IRegistry.CertificateExpired.selector, DEADLINE));
    }

    function test_registerMany_laneFull_reverts() public {
        // Counts are the first word of the lane's struct: evses in the lowest 32 bits.
        _register(_evse(1, 0));
        bytes32 counts = _findWord(bytes32(uint256(1)));
        vm.store(address(registry), counts, bytes32(Limits.MAX_SLOTS - 1));
        _registerRefused(
            bytes.concat(_evse(2, 0), _evse(3, 0)), abi.encodeWithSelector(IRegistry.LaneFull.selector, lane)
        );
        assertEq(_register(_evse(2, 0)), Limits.MAX_SLOTS - 1);
        _registerRefused(_evse(3, 0), abi.encodeWithSelector(IRegistry.LaneFull.selector, lane));
    }

    function _findWord(bytes32 value) internal view returns (bytes32 slot) {
        for (uint256 mappingSlot = 0; mappingSlot < 10; ++mappingSlot) {
            slot = keccak256(abi.encode(lane, mappingSlot));
            if (vm.load(address(registry), slot) == value) return slot;
        }
        revert AssertionFailed("word not found");
    }

    // --- Ending EVSEs

    function test_endEvse_bringsEndForwardWithNotice() public {
        _register(_evse(1, 0));
        uint256 activeFrom = _now() + Limits.NOTICE_SECONDS;
        _pass(DAY);
        uint32 end = uint32(_now() + Limits.NOTICE_SECONDS);
        vm.startPrank(operator);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.EndTooSoon.selector, end - 1, end));
        registry.endEvse(lane, 0, end - 1);
        registry.endEvse(lane, 0, end + 100);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.EndNotForward.selector, end + 100, end + 100));
        registry.endEvse(lane, 0, end + 100);
        vm.expectEmit(address(registry));
        emit IRegistry.EvseEnded(lane, 0, end);
        registry.endEvse(lane, 0, end);
        assertEq(registry.evseWord(lane, 0), _word(_evse(1, 0), activeFrom, end));
        skip(1);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.EndNotForward.selector, end + 1, end));
        registry.endEvse(lane, 0, end + 1);
    }

    function test_endEvse_whoMay() public {
        _register(bytes.concat(_evse(1, 0), _evse(2, 0), _evse(3, 0)));
        uint32 end = uint32(_now() + DAY);
        address[3] memory allowed = [laneOwner, operator, certifier];
        for (uint32 slot = 0; slot < 3; ++slot) {
            vm.prank(stranger);
            vm.expectRevert(abi.encodeWithSelector(IRegistry.MayNotEnd.selector, lane, slot, stranger));
            registry.endEvse(lane, slot, end);
            vm.prank(allowed[slot]);
            registry.endEvse(lane, slot, end);
        }
        vm.prank(operator);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.SlotEmpty.selector, 3));
        registry.endEvse(lane, 3, end);
        vm.prank(operator);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.SlotEmpty.selector, type(uint32).max));
        registry.endEvse(lane, type(uint32).max, end);
    }

    // --- Deposits

    function _registerWithDeposits() internal returns (bytes memory first) {
        first = _evse(1, 70_000_000);
        token.mint(operator, 100_000_000);
        vm.prank(operator);
        token.approve(address(registry), 100_000_000);
        _register(bytes.concat(first, _evse(2, 30_000_000), _evse(3, 0)));
    }

    function test_registerMany_takesDeposits() public {
        _registerWithDeposits();
        assertEq(token.balanceOf(operator), 0);
        assertEq(token.balanceOf(address(registry)), 100_000_000);
    }

    function test_registerMany_depositNotApproved_reverts() public {
        bytes memory reason =
            abi.encodeWithSelector(IERC20Errors.ERC20InsufficientAllowance.selector, address(registry), 0, 1);
        _registerRefused(_evse(1, 1), reason);
    }

    function test_releaseDeposit_afterEnd_paysLaneOwnerOnce() public {
        bytes memory descriptor = _registerWithDeposits();
        uint32 end = uint32(_now() + DAY);
        vm.prank(operator);
        registry.endEvse(lane, 0, end);
        uint256 releaseAt = end + Limits.BOND_EXIT_SECONDS;
        vm.warp(releaseAt - 1);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.DepositLocked.selector, 0, releaseAt));
        registry.releaseDeposit(lane, 0, descriptor);
        vm.warp(releaseAt);
        vm.expectEmit(address(registry));
        emit IRegistry.DepositReleased(lane, 0, laneOwner, 70_000_000);
        registry.releaseDeposit(lane, 0, descriptor);
        assertEq(token.balanceOf(laneOwner), 70_000_000);
        assertEq(token.balanceOf(address(registry)), 30_000_000);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.DepositReleasedBefore.selector, 0));
        registry.releaseDeposit(lane, 0, descriptor);
    }

    function test_releaseDeposit_refusals() public {
        bytes memory descriptor = _registerWithDeposits();
        vm.expectRevert(abi.encodeWithSelector(IRegistry.SlotEmpty.selector, 3));
        registry.releaseDeposit(lane, 3, descriptor);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.WrongDescriptor.selector, 1));
        registry.releaseDeposit(lane, 1, descriptor);
        // Not ended: locked for good, even when u32 time has run out.
        uint256 never = uint256(type(uint32).max) + Limits.BOND_EXIT_SECONDS;
        vm.warp(never);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.DepositLocked.selector, 0, never));
        registry.releaseDeposit(lane, 0, descriptor);
    }

    function test_releaseDeposit_noDeposit_reverts() public {
        _registerWithDeposits();
        uint32 end = uint32(_now() + DAY);
        vm.prank(operator);
        registry.endEvse(lane, 2, end);
        vm.warp(end + Limits.BOND_EXIT_SECONDS);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.NoDeposit.selector, 2));
        registry.releaseDeposit(lane, 2, _evse(3, 0));
    }
}
