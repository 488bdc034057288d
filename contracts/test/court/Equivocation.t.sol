// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ICourt} from "../../src/interfaces/ICourt.sol";
import {IRegistry} from "../../src/interfaces/IRegistry.sol";
import {Limits} from "../../src/protocol/Limits.sol";
import {CourtFixture} from "./CourtFixture.sol";

contract EquivocationTest is CourtFixture {
    uint192 internal first;
    uint192 internal second;

    function setUp() public override {
        super.setUp();
        first = _record(0, 0, SPAN, 10_000);
        second = _record(0, 0, SPAN + 19, 10_000);
    }

    function _signature(uint192 record, uint256 key) private view returns (bytes memory) {
        bytes memory descriptor = evseDescriptors[0];
        bytes8 place;
        assembly ("memory-safe") {
            // 67 bytes into the descriptor.
            place := mload(add(descriptor, 0x63))
        }
        bytes32 digest = sha256(abi.encodePacked(rollup.domainOf(lane), bytes24(record), place));
        (bytes32 r, bytes32 s) = vm.signP256(key, digest);
        return abi.encodePacked(r, s);
    }

    function _signatures(uint192 one, uint192 two) private view returns (bytes memory) {
        return bytes.concat(_signature(one, _evseKey(0)), _signature(two, _evseKey(0)));
    }

    function _refused(uint192 one, uint192 two, bytes memory signatures, bytes memory reason) private {
        vm.expectRevert(reason);
        court.proveEquivocation(lane, evseDescriptors[0], one, two, signatures);
    }

    function test_equivocation_endsSlotAndTakesDeposit() public {
        bytes memory signatures = _signatures(first, second);
        uint32 endsAt = uint32(_now() + Limits.NOTICE_SECONDS);
        vm.expectEmit(address(registry));
        emit IRegistry.EvseEnded(lane, 0, endsAt);
        vm.expectEmit(address(court));
        emit ICourt.EquivocationProven(lane, 0, stranger, first, second, DEPOSIT / 2);
        vm.prank(stranger);
        court.proveEquivocation(lane, evseDescriptors[0], first, second, signatures);
        assertEq(uint32(uint256(registry.evseWord(lane, 0))), endsAt);
        assertEq(token.balanceOf(stranger), DEPOSIT / 2);
        assertEq(token.balanceOf(BURN), DEPOSIT - DEPOSIT / 2);
        assertEq(token.balanceOf(address(registry)), DEPOSIT);
        _refused(first, second, signatures, abi.encodeWithSelector(ICourt.AlreadyProven.selector, lane, 0));

        // Nothing of it is released later, and the other EVSE's is whole.
        _pass(Limits.NOTICE_SECONDS + Limits.BOND_EXIT_SECONDS);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.NoDeposit.selector, 0));
        registry.releaseDeposit(lane, 0, evseDescriptors[0]);
    }

    function test_equivocation_slotThatEndsSooner_keepsItsEnd() public {
        uint32 endsAt = uint32(_now() + Limits.NOTICE_SECONDS);
        vm.prank(operator);
        registry.endEvse(lane, 0, endsAt);
        _pass(60);
        court.proveEquivocation(lane, evseDescriptors[0], first, second, _signatures(first, second));
        assertEq(uint32(uint256(registry.evseWord(lane, 0))), endsAt);
    }

    function test_equivocation_afterRelease_takesNothing() public {
        vm.prank(operator);
        registry.endEvse(lane, 0, uint32(_now() + Limits.NOTICE_SECONDS));
        _pass(Limits.NOTICE_SECONDS + Limits.BOND_EXIT_SECONDS);
        registry.releaseDeposit(lane, 0, evseDescriptors[0]);
        uint256 before = token.balanceOf(address(this));
        court.proveEquivocation(lane, evseDescriptors[0], first, second, _signatures(first, second));
        assertEq(token.balanceOf(address(this)), before);
        assertEq(token.balanceOf(address(registry)), DEPOSIT);
    }

    function test_equivocation_touchingSpans_reverts() public {
        second = _record(0, 0, SPAN + 20, 10_000);
        _refused(
            first, second, _signatures(first, second), abi.encodeWithSelector(ICourt.NotOverlapping.selector)
        );
        _refused(
            second, first, _signatures(second, first), abi.encodeWithSelector(ICourt.NotOverlapping.selector)
        );
    }

    function test_equivocation_emptySpan_reverts() public {
        second = _record(0, 0, SPAN + 5, 10_000) & ~(uint192(0xff) << 88);
        _refused(
            first, second, _signatures(first, second), abi.encodeWithSelector(ICourt.NotOverlapping.selector)
        );
    }

    function test_equivocation_sameRecord_reverts() public {
        _refused(first, first, _signatures(first, first), abi.encodeWithSelector(ICourt.SameRecord.selector));
    }

    function test_equivocation_otherEvse_reverts() public {
        second = _record(1, 0, SPAN, 10_000);
        _refused(
            first, second, _signatures(first, second), abi.encodeWithSelector(ICourt.OtherEvse.selector, 0, 1)
        );
    }

    function test_equivocation_forgedSignature_reverts() public {
        bytes memory signatures =
            bytes.concat(_signature(first, _evseKey(0)), _signature(second, _evseKey(1)));
        _refused(first, second, signatures, abi.encodeWithSelector(ICourt.BadSignature.selector, second));
        signatures = bytes.concat(_signature(first, _evseKey(1)), _signature(second, _evseKey(0)));
        _refused(first, second, signatures, abi.encodeWithSelector(ICourt.BadSignature.selector, first));
        signatures = _signature(first, _evseKey(0));
        _refused(first, second, signatures, abi.encodeWithSelector(ICourt.WrongSignatureLength.selector, 64));
    }

    function test_equivocation_otherDescriptor_reverts() public {
        bytes memory signatures = _signatures(first, second);
        vm.expectRevert(abi.encodeWithSelector(ICourt.WrongDescriptor.selector, 0));
        court.proveEquivocation(lane, evseDescriptors[1], first, second, signatures);
    }

    /// A record of another lane is another message.
    function test_equivocation_signedForOtherLane_reverts() public {
        bytes memory signatures = _signatures(first, second);
        uint32 other = _openLane();
        vm.expectRevert(abi.encodeWithSelector(ICourt.WrongDescriptor.selector, 0));
        court.proveEquivocation(other, evseDescriptors[0], first, second, signatures);
    }
}
