// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IFraudVerifier, LaneContext, Proof} from "../../src/interfaces/IFraudVerifier.sol";
import {Header} from "../../src/protocol/Header.sol";
import {ExecutionFixture} from "./ExecutionFixture.sol";
import {Plain} from "./ReferenceLane.sol";

/// @notice Chunks whose records are entries of the lane's queue on L1.
contract ForcedChunksTest is ExecutionFixture {
    uint64 internal constant START = 3;
    uint32 internal constant QUEUED_AT = AS_OF - 100;

    /// Puts the records into the queue, behind START others; words by the formula of docs/protocol.md §15.6.
    function _queue(Plain[] memory records) internal returns (bytes memory entries) {
        bytes32 word = bytes32(abi.encodePacked(bytes28(keccak256("words before")), QUEUED_AT - 1));
        l1.setEntryWord(LANE, START, word);
        for (uint64 i = 0; i < records.length; i++) {
            bytes24 record = bytes24(_signed(records[i]));
            uint32 queuedAt = QUEUED_AT + uint32(i);
            word = bytes32(abi.encodePacked(bytes28(keccak256(abi.encodePacked(word, record))), queuedAt));
            l1.setEntryWord(LANE, START + i + 1, word);
            entries = abi.encodePacked(entries, record, queuedAt);
        }
    }

    /// A batch that begins with `count` forced entries and ends after chunk `chunk`, whose own body is `body`.
    function _forcedBatch(uint64 count, uint32 chunk, bytes memory body, bytes memory entries)
        internal
        view
        returns (Header memory header, Proof memory proof)
    {
        (header, proof) = _batch(body, bytes31(uint248(1)));
        header.forcedStart = START;
        header.forcedEnd = START + count;
        header.forcedChunks = uint32((count + 21) / 22);
        header.chunkCount = chunk + 1;
        proof.dataWords = new bytes32[](chunk + 1);
        proof.dataWords[chunk] = keccak256(proof.opening.chunk);
        header.dataHash = keccak256(abi.encodePacked(proof.dataWords));
        proof.forced = entries;
    }

    function _part(bytes memory entries, uint256 from, uint256 to) internal pure returns (bytes memory out) {
        out = new bytes((to - from) * 28);
        for (uint256 i = 0; i < out.length; i++) {
            out[i] = entries[from * 28 + i];
        }
    }

    function _slice(Plain[] memory records, uint256 from, uint256 to)
        internal
        pure
        returns (Plain[] memory out)
    {
        out = new Plain[](to - from);
        for (uint256 i = 0; i < out.length; i++) {
            out[i] = records[from + i];
        }
    }

    /// Random records that are not empty; a queue takes no other. A third of them do nothing.
    function _random(uint256 seed, uint256 count) internal view returns (Plain[] memory records) {
        records = new Plain[](count);
        uint32 start = (PERIOD - 24) * 60;
        for (uint256 i = 0; i < count; i++) {
            uint256 dice = uint256(keccak256(abi.encode(seed, i)));
            Plain memory r = records[i];
            r.intervals = uint8(1 + dice % 20);
            if (start % 60 + r.intervals > 60) start = start / 60 * 60 + 60;
            r.start = start;
            r.evse = evses[(dice >> 32) % evses.length].slot;
            r.contractSlot = contracts[(dice >> 40) % contracts.length].slot;
            r.energyWh = uint24(1 + (dice >> 48) % (uint256(r.intervals) * 45));
            r.meterEndWh = uint40(100_000 + i * 1_000);
            r.socDrop = 300;
            r.tempC = uint8((dice >> 96) % 50);
            uint256 fault = (dice >> 144) % 12;
            if (fault == 0) r.evse = uint32(dice >> 160);
            if (fault == 1) r.contractSlot = uint32(dice >> 160);
            if (fault == 2) r.start = uint32(dice >> 160);
            if (fault == 3) r.meterEndWh = 1;
            start += r.intervals;
        }
    }

    function _execute(Header memory header, uint32 chunk, Proof memory proof)
        internal
        view
        returns (bytes31)
    {
        (, bytes31 computed) = verifier.execute(header, _context(), chunk, abi.encode(proof));
        return computed;
    }

    /// Every chunk of the entries on top of the one before, then nothing of the batch's own.
    function _runForced(Plain[] memory records) internal returns (uint256 settled) {
        bytes memory entries = _queue(records);
        for (uint32 chunk = 0; chunk * 22 < records.length; chunk++) {
            uint256 from = chunk * 22;
            uint256 to = from + 22 < records.length ? from + 22 : records.length;
            // What a forced chunk's own bytes hold is nobody's business.
            bytes memory body = chunk % 2 == 0 ? bytes("") : _signed(_good());
            (Header memory header, Proof memory proof) =
                _forcedBatch(uint64(records.length), chunk, body, _part(entries, from, to));
            bytes31 computed = _execute(header, chunk, proof);
            uint48 position = lane.position();
            for (uint256 i = from; i < to; i++) {
                records[i].signatureValid = true;
                if (lane.settleForced(records[i]) == 0) settled++;
            }
            assertEq(lane.position(), position);
            assertEq(bytes32(computed), bytes32(lane.stateRoot()), "root differs from the reference's");
        }
    }

    function test_execute_forcedRecord_settlesWithoutPosition() public {
        assertEq(_runForced(_one(_good())), 1);
        assertEq(lane.position(), 0);
        assertEq(lane.count(), 1);
    }

    function test_execute_forcedFullChunksAndRest_equalReference() public {
        assertGt(_runForced(_random(7, 50)), 3);
    }

    /// forge-config: default.fuzz.runs = 16
    function testFuzz_execute_forced_equalsReference(uint256 seed) public {
        _runForced(_random(seed, 1 + seed % 30));
    }

    /// A signature was checked when the entry was queued; the posted bytes bring none.
    function test_execute_ownChunkOfTheSameRecord_needsSignature() public {
        Plain memory unsigned = _good();
        unsigned.signatureValid = false;
        bytes31 nothing;
        {
            (Header memory header, Proof memory proof) = _batch(_signed(unsigned), bytes31(0));
            nothing = _execute(header, 0, proof);
        }
        bytes memory entries = _queue(_one(unsigned));
        (Header memory forced, Proof memory forcedProof) = _forcedBatch(1, 0, "", entries);
        assertFalse(bytes32(_execute(forced, 0, forcedProof)) == bytes32(nothing));
    }

    function test_execute_chunkAfterForcedOnes_isTheBatchsOwn() public {
        bytes memory entries = _queue(_one(_good()));
        (Header memory header, Proof memory proof) = _forcedBatch(1, 1, _signed(_good()), "");
        bytes31 computed = _execute(header, 1, proof);
        lane.settle(_good());
        assertEq(bytes32(computed), bytes32(lane.stateRoot()));
        assertEq(lane.position(), 1);
        proof.forced = entries;
        _refused(
            header,
            1,
            proof,
            abi.encodeWithSelector(IFraudVerifier.WrongLength.selector, bytes32("forced"), 28)
        );
    }

    // --- Wrong entries

    function _refused(Header memory header, uint32 chunk, Proof memory proof, bytes memory reason) internal {
        LaneContext memory context = _context();
        vm.expectRevert(reason);
        verifier.execute(header, context, chunk, abi.encode(proof));
    }

    function test_execute_forcedEntriesAltered_revert() public {
        Plain[] memory records = _random(3, 5);
        bytes memory entries = _queue(records);
        bytes memory reason =
            abi.encodeWithSelector(IFraudVerifier.WrongForcedEntries.selector, START, START + 5);
        for (uint256 i = 0; i < entries.length; i += 3) {
            bytes memory altered = _part(entries, 0, 5);
            altered[i] ^= 0x01;
            (Header memory header, Proof memory proof) = _forcedBatch(5, 0, "", altered);
            _refused(header, 0, proof, reason);
        }
    }

    function test_execute_forcedEntriesReordered_revert() public {
        bytes memory entries = _queue(_random(3, 3));
        bytes memory other = bytes.concat(_part(entries, 1, 2), _part(entries, 0, 1), _part(entries, 2, 3));
        (Header memory header, Proof memory proof) = _forcedBatch(3, 0, "", other);
        bytes memory reason =
            abi.encodeWithSelector(IFraudVerifier.WrongForcedEntries.selector, START, START + 3);
        _refused(header, 0, proof, reason);
    }

    function test_execute_forcedEntriesLeftOutOrAdded_revert() public {
        bytes memory entries = _queue(_random(3, 24));
        bytes4 selector = IFraudVerifier.WrongLength.selector;
        (Header memory header, Proof memory proof) = _forcedBatch(23, 1, "", _part(entries, 22, 24));
        _refused(header, 1, proof, abi.encodeWithSelector(selector, bytes32("forced"), 56));
        proof.forced = "";
        _refused(header, 1, proof, abi.encodeWithSelector(selector, bytes32("forced"), 0));
        proof.forced = _part(entries, 22, 23);
        _execute(header, 1, proof);
        // The right number, but those of another chunk.
        proof.forced = _part(entries, 0, 1);
        bytes memory reason =
            abi.encodeWithSelector(IFraudVerifier.WrongForcedEntries.selector, START + 22, START + 23);
        _refused(header, 1, proof, reason);
    }

    function test_execute_forced22_gas() public {
        Plain[] memory records = _random(5, 22);
        bytes memory entries = _queue(records);
        (Header memory header, Proof memory proof) = _forcedBatch(22, 0, "", entries);
        LaneContext memory context = _context();
        bytes memory encoded = abi.encode(proof);
        uint256 before = gasleft();
        verifier.execute(header, context, 0, encoded);
        assertLt(before - gasleft(), 1_500_000);
    }
}
