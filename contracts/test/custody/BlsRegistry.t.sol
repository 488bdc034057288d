// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IRegistry} from "../../src/interfaces/IRegistry.sol";
import {Limits} from "../../src/protocol/Limits.sol";
import {Enrolment} from "./Enrolment.sol";

/// Registration in a BLS lane: keys with their proofs of possession, made by another library (test/vectors/generate-bls.ts).
contract BlsRegistryTest is Enrolment {
    string internal json = vm.readFile("test/vectors/bls.json");
    bytes[] internal keys = vm.parseJsonBytesArray(json, ".keys");
    bytes[] internal possessions = vm.parseJsonBytesArray(json, ".possessions");
    uint32 internal blsLane;

    event Measured(string what, uint256 gas);

    function setUp() public override {
        super.setUp();
        vm.prank(laneOwner);
        blsLane = rollup.openLane(zone, operator, 1);
    }

    function test_registerMany_bls_storesWordsInOrder() public {
        bytes memory first = _blsEvse(keys[0], 5);
        bytes memory second = _blsEvse(keys[1], 0);
        token.mint(operator, 5);
        vm.prank(operator);
        token.approve(address(registry), 5);
        _registerBls(bytes.concat(first, second), bytes.concat(possessions[0], possessions[1]));
        assertEq(registry.evseCount(blsLane), 2);
        assertEq(uint256(registry.evseWord(blsLane, 0)) >> 64, uint256(keccak256(first)) >> 64);
        assertEq(uint256(registry.evseWord(blsLane, 1)) >> 64, uint256(keccak256(second)) >> 64);
        assertEq(token.balanceOf(address(registry)), 5);
    }

    function test_registerMany_bls_othersPossession_reverts() public {
        bytes memory both = bytes.concat(_blsEvse(keys[0], 0), _blsEvse(keys[1], 0));
        _refused(
            both,
            bytes.concat(possessions[0], possessions[2]),
            abi.encodeWithSelector(IRegistry.BadPossession.selector, 1)
        );
        _refused(
            both,
            bytes.concat(possessions[1], possessions[0]),
            abi.encodeWithSelector(IRegistry.BadPossession.selector, 0)
        );
    }

    function test_registerMany_bls_rogueAndInvalidKeys_revert() public {
        bytes memory reason = abi.encodeWithSelector(IRegistry.BadPossession.selector, 0);
        _refused(
            _blsEvse(vm.parseJsonBytes(json, ".rogueKey"), 0),
            vm.parseJsonBytes(json, ".roguePossession"),
            reason
        );
        _refused(_blsEvse(new bytes(128), 0), new bytes(192), reason);
        string[] memory names = vm.parseJsonKeys(json, ".badKeys");
        assertEq(names.length, 6);
        for (uint256 i = 0; i < names.length; i++) {
            bytes memory key = vm.parseJsonBytes(json, string.concat(".badKeys.", names[i]));
            _refused(_blsEvse(key, 0), possessions[0], reason);
        }
        names = vm.parseJsonKeys(json, ".badSignatures");
        for (uint256 i = 0; i < names.length; i++) {
            bytes memory bad = vm.parseJsonBytes(json, string.concat(".badSignatures.", names[i]));
            _refused(_blsEvse(keys[0], 0), bad, reason);
        }
    }

    function test_registerMany_possessionsOfAnotherLength_revert() public {
        bytes4 selector = IRegistry.WrongPossessionsLength.selector;
        bytes memory evse = _blsEvse(keys[0], 0);
        _refused(evse, "", abi.encodeWithSelector(selector, 0, 192));
        _refused(evse, bytes.concat(possessions[0], hex"00"), abi.encodeWithSelector(selector, 193, 192));
        // A P-256 lane takes none.
        evse = _evse(1, 0);
        bytes memory certificate = _certificate(certifierKey, lane, 0, evse, DEADLINE);
        vm.prank(operator);
        vm.expectRevert(abi.encodeWithSelector(selector, 192, 0));
        registry.registerMany(lane, evse, DEADLINE, certificate, possessions[0]);
    }

    function test_registerMany_descriptorOfTheOtherScheme_reverts() public {
        bytes memory evse = _evse(1, 0);
        _refused(evse, possessions[0], abi.encodeWithSelector(IRegistry.WrongDescriptorLength.selector, 85));
        evse = _blsEvse(keys[0], 0);
        bytes memory certificate = _certificate(certifierKey, lane, 0, evse, DEADLINE);
        vm.prank(operator);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.WrongDescriptorLength.selector, 149));
        registry.registerMany(lane, evse, DEADLINE, certificate, "");
    }

    function test_registerMany_bls_otherRulesHoldToo() public {
        bytes memory noPower = abi.encodePacked(keys[0], uint24(0), int32(0), int32(0), uint16(50), uint64(0));
        _refused(noPower, possessions[0], abi.encodeWithSelector(IRegistry.RatedPowerOutOfRange.selector, 0));
        bytes memory offEarth =
            abi.encodePacked(keys[0], uint24(1), int32(900_000_001), int32(0), uint16(50), uint64(0));
        _refused(offEarth, possessions[0], abi.encodeWithSelector(IRegistry.PositionOutOfRange.selector, 0));
    }

    function test_releaseDeposit_bls_paysLaneOwner() public {
        bytes memory evse = _blsEvse(keys[0], 70_000_000);
        token.mint(operator, 70_000_000);
        vm.prank(operator);
        token.approve(address(registry), 70_000_000);
        _registerBls(evse, possessions[0]);
        uint32 end = uint32(_now() + Limits.NOTICE_SECONDS);
        vm.prank(operator);
        registry.endEvse(blsLane, 0, end);
        vm.warp(end + Limits.BOND_EXIT_SECONDS);
        registry.releaseDeposit(blsLane, 0, evse);
        assertEq(token.balanceOf(laneOwner), 70_000_000);
    }

    /// With whatever gas: registered, or reverted; a genuine possession is never called bad for want of gas.
    function test_registerMany_bls_gasSweep() public {
        bytes memory evse = _blsEvse(keys[0], 0);
        bytes memory certificate = _certificate(certifierKey, blsLane, 0, evse, DEADLINE);
        bytes memory call =
            abi.encodeCall(registry.registerMany, (blsLane, evse, DEADLINE, certificate, possessions[0]));
        uint256 passed;
        for (uint256 gas_ = 20_000; gas_ < 420_000; gas_ += 1009) {
            uint256 snapshot = vm.snapshotState();
            vm.prank(operator);
            (bool ok, bytes memory result) = address(registry).call{gas: gas_}(call);
            if (ok) {
                passed++;
            } else {
                assertTrue(
                    result.length < 4 || bytes4(result) != IRegistry.BadPossession.selector, "called bad"
                );
            }
            vm.revertToState(snapshot);
        }
        assertGt(passed, 5);
    }

    function test_registerMany_bls_gas() public {
        bytes memory all;
        bytes memory proofs;
        for (uint256 i = 0; i < keys.length; i++) {
            all = bytes.concat(all, _blsEvse(keys[i], 0));
            proofs = bytes.concat(proofs, possessions[i]);
        }
        bytes memory certificate = _certificate(certifierKey, blsLane, 0, all, DEADLINE);
        vm.prank(operator);
        registry.registerMany(blsLane, all, DEADLINE, certificate, proofs);
        uint256 each = vm.lastCallGas().gasTotalUsed / keys.length;
        emit Measured("registerMany of 8 BLS keys, each, without calldata", each);
        assertLt(each, 215_000);
    }

    function _registerBls(bytes memory descriptors, bytes memory proofs) internal {
        bytes memory certificate =
            _certificate(certifierKey, blsLane, registry.evseCount(blsLane), descriptors, DEADLINE);
        vm.prank(operator);
        registry.registerMany(blsLane, descriptors, DEADLINE, certificate, proofs);
    }

    function _refused(bytes memory descriptors, bytes memory proofs, bytes memory reason) internal {
        bytes memory certificate = _certificate(certifierKey, blsLane, 0, descriptors, DEADLINE);
        vm.prank(operator);
        vm.expectRevert(reason);
        registry.registerMany(blsLane, descriptors, DEADLINE, certificate, proofs);
    }

    function _blsEvse(bytes memory key, uint64 deposit) internal pure returns (bytes memory) {
        return abi.encodePacked(key, uint24(22_000), int32(1), int32(-1), uint16(50), deposit);
    }
}
