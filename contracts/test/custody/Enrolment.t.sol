// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC721Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";

import {Vehicle} from "../../src/Vehicle.sol";
import {IRegistry} from "../../src/interfaces/IRegistry.sol";
import {Limits} from "../../src/protocol/Limits.sol";
import {Enrolment} from "./Enrolment.sol";

contract EnrolmentTest is Enrolment {
    bytes4 private constant ERC1271_MAGIC = 0x1626ba7e;
    bytes32 private approvedDigest;

    /// This contract owns a vehicle and consents by ERC-1271.
    function isValidSignature(bytes32 digest, bytes calldata) external view returns (bytes4) {
        return digest == approvedDigest ? ERC1271_MAGIC : bytes4(0);
    }

    function _one(bytes memory consent) internal pure returns (bytes[] memory consents) {
        consents = new bytes[](1);
        consents[0] = consent;
    }

    function _refused(bytes memory descriptor, bytes memory reason) internal {
        bytes[] memory consents = _one(_consent(driverKey, lane, descriptor, DEADLINE));
        vm.prank(operator);
        vm.expectRevert(reason);
        registry.enrolMany(lane, descriptor, DEADLINE, consents);
    }

    function test_enrolMany_storesWordsAndEmits() public {
        bytes memory first = _contract(vehicle.mint(driver), MAX_INCENTIVE, 60_000);
        bytes memory second = _contract(vehicle.mint(driver), 0, uint24(Limits.MAX_CAPACITY_WH - 1));
        bytes[] memory consents = new bytes[](2);
        consents[0] = _consent(driverKey, lane, first, DEADLINE);
        consents[1] = _consent(driverKey, lane, second, DEADLINE);
        uint32 activeFrom = uint32(_now() + Limits.NOTICE_SECONDS);
        vm.expectEmit(address(registry));
        emit IRegistry.ContractsEnrolled(lane, 0, activeFrom, bytes.concat(first, second));
        vm.prank(laneOwner);
        assertEq(registry.enrolMany(lane, bytes.concat(first, second), DEADLINE, consents), 0);
        assertEq(registry.contractCount(lane), 2);
        uint256 low = uint256(activeFrom) << 32 | type(uint32).max;
        assertEq(registry.contractWord(lane, 0), bytes32(uint256(keccak256(first)) >> 64 << 64 | low));
        uint32[] memory slots = new uint32[](2);
        (slots[0], slots[1]) = (1, type(uint32).max);
        bytes32[] memory words = registry.contractWords(lane, slots);
        assertEq(words[0], bytes32(uint256(keccak256(second)) >> 64 << 64 | low));
        assertEq(words[1], bytes32(0));
        assertEq(registry.evseWord(lane, 0), bytes32(0));
    }

    function test_enrolMany_ownerIsCaller_needsNoSignature() public {
        bytes memory descriptor = _contract(vehicle.mint(operator), 0, 1);
        vm.prank(operator);
        // No signature, so no deadline either.
        registry.enrolMany(lane, descriptor, 0, _one(""));
        assertEq(registry.contractCount(lane), 1);
    }

    function test_enrolMany_contractOwner_consentsByErc1271() public {
        uint256 id = vehicle.mint(address(this));
        bytes memory descriptor = _contract(id, 0, 1);
        vm.prank(operator);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.NoConsent.selector, id));
        registry.enrolMany(lane, descriptor, DEADLINE, _one("signature"));
        bytes32 typehash = keccak256("Enrolment(uint32 lane,bytes32 descriptorHash,uint64 deadline)");
        approvedDigest = _typed(keccak256(abi.encode(typehash, lane, keccak256(descriptor), DEADLINE)));
        vm.prank(operator);
        registry.enrolMany(lane, descriptor, DEADLINE, _one("signature"));
    }

    function test_enrolMany_consent_bindsEverything() public {
        uint256 id = vehicle.mint(driver);
        bytes memory descriptor = _contract(id, 0, 1);
        bytes[] memory wrong = new bytes[](5);
        wrong[0] = _consent(certifierKey, lane, descriptor, DEADLINE);
        wrong[1] = _consent(driverKey, lane + 1, descriptor, DEADLINE);
        wrong[2] = _consent(driverKey, lane, _contract(id, 1, 1), DEADLINE);
        wrong[3] = _consent(driverKey, lane, descriptor, DEADLINE + 1);
        for (uint256 i = 0; i < wrong.length; ++i) {
            vm.prank(operator);
            vm.expectRevert(abi.encodeWithSelector(IRegistry.NoConsent.selector, id));
            registry.enrolMany(lane, descriptor, DEADLINE, _one(wrong[i]));
        }
    }

    function test_enrolMany_vehicleSold_oldConsentIsWorthless() public {
        uint256 id = vehicle.mint(driver);
        bytes memory descriptor = _contract(id, 0, 1);
        bytes[] memory consents = _one(_consent(driverKey, lane, descriptor, DEADLINE));
        vm.prank(driver);
        vehicle.transferFrom(driver, stranger, id);
        vm.prank(operator);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.NoConsent.selector, id));
        registry.enrolMany(lane, descriptor, DEADLINE, consents);
    }

    function test_enrolMany_consentExpired_reverts() public {
        bytes memory descriptor = _contract(vehicle.mint(driver), 0, 1);
        vm.warp(DEADLINE + 1);
        _refused(descriptor, abi.encodeWithSelector(IRegistry.ConsentExpired.selector, DEADLINE));
    }

    function test_enrolMany_unknownVehicle_reverts() public {
        _refused(
            _contract(77, 0, 1), abi.encodeWithSelector(IERC721Errors.ERC721NonexistentToken.selector, 77)
        );
    }

    function test_enrolMany_wrongCounts_revert() public {
        bytes memory descriptor = _contract(vehicle.mint(driver), 0, 1);
        vm.startPrank(operator);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.WrongConsentCount.selector, 0, 1));
        registry.enrolMany(lane, descriptor, DEADLINE, new bytes[](0));
        vm.expectRevert(abi.encodeWithSelector(IRegistry.NoDescriptors.selector));
        registry.enrolMany(lane, "", DEADLINE, new bytes[](0));
        vm.expectRevert(abi.encodeWithSelector(IRegistry.WrongDescriptorLength.selector, 78));
        registry.enrolMany(lane, bytes.concat(descriptor, hex"00"), DEADLINE, _one(""));
    }

    function test_enrolMany_notAgent_reverts() public {
        bytes memory descriptor = _contract(vehicle.mint(driver), 0, 1);
        vm.prank(driver);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.NotLaneAgent.selector, lane, driver));
        registry.enrolMany(lane, descriptor, DEADLINE, _one(""));
    }

    function test_enrolMany_incentiveTooHigh_reverts() public {
        bytes memory descriptor = _contract(vehicle.mint(driver), MAX_INCENTIVE + 1, 1);
        _refused(
            descriptor,
            abi.encodeWithSelector(IRegistry.IncentiveTooHigh.selector, 0, MAX_INCENTIVE + 1, MAX_INCENTIVE)
        );
    }

    function test_enrolMany_capacityOutOfRange_reverts() public {
        uint256 id = vehicle.mint(driver);
        bytes memory reason = abi.encodeWithSelector(IRegistry.CapacityOutOfRange.selector, 0);
        _refused(_contract(id, 0, 0), reason);
        _refused(_contract(id, 0, uint24(Limits.MAX_CAPACITY_WH)), reason);
    }

    function test_enrolMany_vehicleKey_mustBeOnCurveOrNone() public {
        uint64 id = uint64(vehicle.mint(operator));
        (uint256 x, uint256 y) = vm.publicKeyP256(9);
        bytes memory wrong = abi.encodePacked(id, uint16(0), uint24(1), x, y ^ 1);
        vm.startPrank(operator);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.KeyNotOnCurve.selector, 0));
        registry.enrolMany(lane, wrong, DEADLINE, _one(""));
        vm.expectRevert(abi.encodeWithSelector(IRegistry.KeyNotOnCurve.selector, 0));
        registry.enrolMany(
            lane, abi.encodePacked(id, uint16(0), uint24(1), uint256(0), y), DEADLINE, _one("")
        );
        registry.enrolMany(lane, abi.encodePacked(id, uint16(0), uint24(1), x, y), DEADLINE, _one(""));
    }

    // --- Ending contracts

    function test_endContract_byVehicleOwner_needsDescriptor() public {
        (uint32 slot, bytes memory descriptor) = _enrol(driver, driverKey);
        uint32 end = uint32(_now() + Limits.NOTICE_SECONDS);
        vm.startPrank(driver);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.WrongDescriptor.selector, slot));
        registry.endContract(lane, slot, end, "");
        vm.expectEmit(address(registry));
        emit IRegistry.ContractEnded(lane, slot, end);
        registry.endContract(lane, slot, end, descriptor);
        assertEq(uint32(uint256(registry.contractWord(lane, slot))), end);
    }

    function test_endContract_refusals() public {
        (uint32 slot, bytes memory descriptor) = _enrol(driver, driverKey);
        uint32 end = uint32(_now() + Limits.NOTICE_SECONDS);
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.MayNotEnd.selector, lane, slot, stranger));
        registry.endContract(lane, slot, end, descriptor);
        // The certifier certifies EVSEs, not contracts.
        vm.prank(certifier);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.MayNotEnd.selector, lane, slot, certifier));
        registry.endContract(lane, slot, end, descriptor);
        vm.startPrank(operator);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.SlotEmpty.selector, slot + 1));
        registry.endContract(lane, slot + 1, end, "");
        vm.expectRevert(abi.encodeWithSelector(IRegistry.EndTooSoon.selector, end - 1, end));
        registry.endContract(lane, slot, end - 1, "");
        registry.endContract(lane, slot, end, "");
        vm.expectRevert(abi.encodeWithSelector(IRegistry.EndNotForward.selector, end, end));
        registry.endContract(lane, slot, end, "");
    }

    // --- Vehicles

    function test_vehicle_mint_idsAreSequential() public {
        assertEq(vehicle.mint(driver), 1);
        address[] memory owners = new address[](2);
        (owners[0], owners[1]) = (stranger, driver);
        assertEq(vehicle.mintMany(owners), 2);
        assertEq(vehicle.mint(driver), 4);
        assertEq(vehicle.ownerOf(2), stranger);
        assertEq(vehicle.ownerOf(3), driver);
        vm.expectRevert(abi.encodeWithSelector(Vehicle.NoOwners.selector));
        vehicle.mintMany(new address[](0));
    }
}
