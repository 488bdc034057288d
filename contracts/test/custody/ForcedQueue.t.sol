// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IForcedQueue} from "../../src/interfaces/IForcedQueue.sol";
import {IRollup} from "../../src/interfaces/IRollup.sol";
import {Limits} from "../../src/protocol/Limits.sol";
import {ForcedFixture} from "./ForcedFixture.sol";

contract ForcedQueueTest is ForcedFixture {
    address internal constant BURN = 0x000000000000000000000000000000000000dEaD;
    uint256 internal constant ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551;

    function test_forceRecord_signed_appendsWordEmitsAndBurns() public {
        bytes24 record = _record(1);
        bytes memory signature = _sign(EVSE_KEY, lane, record);
        bytes32 word =
            bytes32((uint256(keccak256(abi.encodePacked(bytes32(0), record))) >> 32 << 32) | _now());
        uint256 burned = BURN.balance;
        vm.expectEmit(address(forcedQueue));
        emit IForcedQueue.RecordForced(lane, 0, record, uint32(_now()), word, payer);
        vm.prank(payer);
        uint64 index =
            forcedQueue.forceRecord{value: Limits.FORCE_FEE_WEI}(lane, record, descriptor, signature);
        assertEq(index, 0);
        assertEq(forcedQueue.length(lane), 1);
        assertEq(forcedQueue.wordAt(lane, 0), 0);
        assertEq(forcedQueue.wordAt(lane, 1), word);
        assertEq(forcedQueue.wordAt(lane, 2), 0);
        assertEq(BURN.balance - burned, Limits.FORCE_FEE_WEI);
        assertEq(address(forcedQueue).balance, 0);
    }

    function test_forceRecord_more_chainsWords() public {
        for (uint256 i = 0; i < 5; ++i) {
            assertEq(_force(i), i);
            _pass(600);
        }
        assertEq(forcedQueue.length(lane), 5);
        for (uint64 count = 0; count <= 5; ++count) {
            assertEq(forcedQueue.wordAt(lane, count), words[count], "word");
        }
        (bytes32 start, bytes32 end, bytes32 next) = forcedQueue.wordsAround(lane, 2, 4);
        assertEq(start, words[2]);
        assertEq(end, words[4]);
        assertEq(next, words[5]);
        (start, end, next) = forcedQueue.wordsAround(lane, 5, 5);
        assertEq(start, words[5]);
        assertEq(end, words[5]);
        assertEq(next, 0);
    }

    function test_forceRecord_sameRecordTwice_twoEntries() public {
        _force(1);
        _force(1);
        assertEq(forcedQueue.length(lane), 2);
    }

    function test_forceRecord_highS_accepted() public {
        bytes24 record = _record(1);
        bytes memory signature = _sign(EVSE_KEY, lane, record);
        bytes32 r;
        bytes32 s;
        assembly ("memory-safe") {
            r := mload(add(signature, 0x20))
            s := mload(add(signature, 0x40))
        }
        bytes memory other = abi.encodePacked(r, bytes32(ORDER - uint256(s)));
        vm.prank(payer);
        forcedQueue.forceRecord{value: Limits.FORCE_FEE_WEI}(lane, record, descriptor, other);
        assertEq(forcedQueue.length(lane), 1);
    }

    function test_forceRecord_otherLanesQueue_untouched() public {
        uint32 other = _openLane();
        _force(1);
        assertEq(forcedQueue.length(other), 0);
        assertEq(forcedQueue.wordAt(other, 1), 0);
    }

    // --- Refusals

    function _forceRefused(
        uint32 lane_,
        bytes24 record,
        bytes memory evse,
        bytes memory signature,
        bytes memory reason
    ) internal {
        vm.prank(payer);
        vm.expectRevert(reason);
        forcedQueue.forceRecord{value: Limits.FORCE_FEE_WEI}(lane_, record, evse, signature);
        assertEq(forcedQueue.length(lane), 0);
    }

    function test_forceRecord_wrongFee_reverts() public {
        bytes24 record = _record(1);
        bytes memory signature = _sign(EVSE_KEY, lane, record);
        uint256[3] memory fees = [0, Limits.FORCE_FEE_WEI - 1, Limits.FORCE_FEE_WEI + 1];
        for (uint256 i = 0; i < 3; ++i) {
            vm.prank(payer);
            vm.expectRevert(
                abi.encodeWithSelector(IForcedQueue.WrongFee.selector, fees[i], Limits.FORCE_FEE_WEI)
            );
            forcedQueue.forceRecord{value: fees[i]}(lane, record, descriptor, signature);
        }
    }

    function test_forceRecord_wrongSignature_reverts() public {
        bytes24 record = _record(1);
        bytes memory refused = abi.encodeWithSelector(IForcedQueue.BadSignature.selector);
        _forceRefused(lane, record, descriptor, _sign(EVSE_KEY + 1, lane, record), refused);
        _forceRefused(lane, record, descriptor, _sign(EVSE_KEY, lane, _record(2)), refused);
        // Of the same record on another lane.
        _forceRefused(lane, record, descriptor, _sign(EVSE_KEY, lane + 1, record), refused);
        bytes memory signature = _sign(EVSE_KEY, lane, record);
        _forceRefused(lane, record, descriptor, bytes.concat(signature, hex"00"), refused);
        _forceRefused(lane, record, descriptor, "", refused);
    }

    function test_forceRecord_emptyRecord_reverts() public {
        bytes memory signature = _sign(EVSE_KEY, lane, 0);
        bytes memory refused = abi.encodeWithSelector(IForcedQueue.EmptyRecord.selector);
        _forceRefused(lane, 0, descriptor, signature, refused);
    }

    function test_forceRecord_emptySlot_reverts() public {
        uint32[3] memory slots = [uint32(1), uint32(Limits.MAX_SLOTS), type(uint32).max];
        for (uint256 i = 0; i < slots.length; ++i) {
            bytes24 record = bytes24(abi.encodePacked(slots[i], uint160(1)));
            bytes memory refused = abi.encodeWithSelector(IForcedQueue.SlotEmpty.selector, slots[i]);
            _forceRefused(lane, record, descriptor, _sign(EVSE_KEY, lane, record), refused);
        }
    }

    /// With a key of the caller's own choice.
    function test_forceRecord_otherDescriptor_reverts() public {
        bytes24 record = _record(1);
        bytes memory signature = _sign(EVSE_KEY + 1, lane, record);
        bytes memory refused = abi.encodeWithSelector(IForcedQueue.WrongDescriptor.selector, 0);
        _forceRefused(lane, record, _evse(EVSE_KEY + 1, 0), signature, refused);
        _forceRefused(lane, record, "", signature, refused);
    }

    function test_forceRecord_unknownLane_reverts() public {
        bytes24 record = _record(1);
        bytes memory signature = _sign(EVSE_KEY, 9, record);
        _forceRefused(
            9, record, descriptor, signature, abi.encodeWithSelector(IRollup.UnknownLane.selector, 9)
        );
    }

    /// A gas limit chosen against the precompile makes the call fail; never does a good signature pass for a bad one, or
    /// the other way round.
    function test_forceRecord_anyGasLimit_neverWrongVerdict() public {
        bytes24 record = _record(1);
        bytes memory good = _sign(EVSE_KEY, lane, record);
        bytes memory bad = _sign(EVSE_KEY + 1, lane, record);
        uint256 accepted = 0;
        uint256 judged = 0;
        for (uint256 gas_ = 20_000; gas_ < 200_000; gas_ += 3_000) {
            uint256 state = vm.snapshotState();
            vm.prank(payer);
            try forcedQueue.forceRecord{value: Limits.FORCE_FEE_WEI, gas: gas_}(
                lane, record, descriptor, good
            ) {
                ++accepted;
            } catch (bytes memory reason) {
                assertFalse(
                    bytes4(reason) == IForcedQueue.BadSignature.selector, "a good signature judged bad"
                );
            }
            vm.revertToState(state);
            vm.prank(payer);
            try forcedQueue.forceRecord{value: Limits.FORCE_FEE_WEI, gas: gas_}(
                lane, record, descriptor, bad
            ) {
                revert("a bad signature was accepted");
            } catch (bytes memory reason) {
                if (bytes4(reason) == IForcedQueue.BadSignature.selector) ++judged;
            }
        }
        assertGt(accepted, 0);
        assertGt(judged, 0);
    }
}
