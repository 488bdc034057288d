// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {FraudVerifier} from "../../src/FraudVerifier.sol";
import {IFraudVerifier, LaneContext, Proof} from "../../src/interfaces/IFraudVerifier.sol";
import {IRegistry} from "../../src/interfaces/IRegistry.sol";
import {ITariff} from "../../src/interfaces/ITariff.sol";
import {IVault} from "../../src/interfaces/IVault.sol";
import {TrustedSetup} from "../../src/kzg/TrustedSetup.sol";
import {Header} from "../../src/protocol/Header.sol";
import {ExecutionFixture} from "./ExecutionFixture.sol";
import {Plain} from "./ReferenceLane.sol";

/// Batches of several chunks, hostile chunks, wrong witnesses, starved calls, and random chunks against the reference.
contract FraudVerifierTest is ExecutionFixture {
    // --- Batches

    function test_execute_chunksInARow_honestRootsAgree_wrongOneDiffers() public {
        bytes[] memory chunks = new bytes[](3);
        bytes31[] memory roots = new bytes31[](4);
        Proof[] memory proofs = new Proof[](3);
        roots[0] = lane.stateRoot();
        Plain memory r = _good();
        for (uint256 k = 0; k < 3; k++) {
            chunks[k] = bytes.concat(roots[k], _body(_one(r)));
            proofs[k].witness = _witness();
            lane.settle(r);
            roots[k + 1] = lane.stateRoot();
            r.start += 10;
            r.intervals = 10;
            r.energyWh = 200;
            r.meterEndWh += 1000;
            r.start += k == 0 ? 15 : 0;
        }
        // Chunk 0's own pre-root is ignored.
        chunks[0] = bytes.concat(bytes31(uint248(77)), _tail(chunks[0]));
        Header memory header = _headerOf(chunks, proofs, roots[3]);
        LaneContext memory context = LaneContext(ZONE, 0, DOMAIN, roots[0]);
        for (uint32 k = 0; k < 3; k++) {
            (bytes31 claimed, bytes31 computed) = verifier.execute(header, context, k, abi.encode(proofs[k]));
            assertEq(bytes32(claimed), bytes32(roots[k + 1]));
            assertEq(bytes32(computed), bytes32(roots[k + 1]));
        }
        // A batch that states a wrong root before chunk 2, which is what chunk 1 is judged by.
        chunks[2] = bytes.concat(bytes31(uint248(78)), _tail(chunks[2]));
        header = _headerOf(chunks, proofs, roots[3]);
        (bytes31 stated, bytes31 found) = verifier.execute(header, context, 1, abi.encode(proofs[1]));
        assertEq(bytes32(stated), bytes32(bytes31(uint248(78))));
        assertEq(bytes32(found), bytes32(roots[2]));
        // Nobody has a witness for a state that never was.
        vm.expectRevert(
            abi.encodeWithSelector(IFraudVerifier.WrongPreRoot.selector, bytes31(uint248(78)), roots[2])
        );
        verifier.execute(header, context, 2, abi.encode(proofs[2]));
    }

    function test_execute_shortLastChunk_isZeroPadded() public view {
        for (uint256 length = 0; length < 31; length += 10) {
            (Header memory header, Proof memory proof) = _batch("", lane.stateRoot());
            proof.opening.chunk = new bytes(length);
            _seal(header, proof);
            (bytes31 claimed, bytes31 computed) = verifier.execute(header, _context(), 0, abi.encode(proof));
            assertEq(bytes32(claimed), bytes32(computed));
        }
    }

    /// A record cut off in its middle decodes with zeros.
    function test_execute_recordCutOff_isJudgedPadded() public {
        bytes memory whole = _signed(_good());
        bytes memory cut = new bytes(20);
        for (uint256 i = 0; i < 20; i++) {
            cut[i] = whole[i];
        }
        (Header memory header, Proof memory proof) = _batch(cut, bytes31(0));
        LaneContext memory context = _context();
        Plain memory r = _good();
        r.meterEndWh = 0;
        r.socDrop = 0;
        r.tempC = 0;
        r.signatureValid = false;
        assertEq(lane.settle(r), 2);
        (, bytes31 computed) = verifier.execute(header, context, 0, abi.encode(proof));
        assertEq(bytes32(computed), bytes32(lane.stateRoot()));
    }

    function test_execute_bytesAfterLastRecord_areIgnored() public view {
        (Header memory header, Proof memory proof) =
            _batch(bytes.concat(new bytes(22 * 88), hex"ffffffffffff", new bytes(200)), lane.stateRoot());
        (bytes31 claimed, bytes31 computed) = verifier.execute(header, _context(), 0, abi.encode(proof));
        assertEq(bytes32(claimed), bytes32(computed));
    }

    // --- Hostile chunks: never a revert, and the position counts

    function test_execute_allOnes_movesOnlyThePosition() public {
        bytes memory ones = new bytes(22 * 88);
        for (uint256 i = 0; i < ones.length; i++) {
            ones[i] = 0xff;
        }
        _assertOnlyPosition(ones, 22);
    }

    function test_execute_emptyRegistry_needsNoLeaf() public {
        Plain memory r = _good();
        r.evse = 5;
        r.contractSlot = 5;
        _assertOnlyPosition(_body(_one(r)), 1);
    }

    function test_execute_keyOffCurve_isABadSignature() public {
        // A registry would refuse such a key; the verifier must not stumble over it if one didn't.
        bytes memory descriptor = _evseDescriptor(evses[0]);
        descriptor[63] ^= 0x01;
        l1.setEvse(LANE, 0, _word(descriptor, 1, OPEN));
        (Header memory header, Proof memory proof) = _batch(_signed(_good()), bytes31(0));
        for (uint256 i = 0; i < descriptor.length; i++) {
            proof.witness.evses[36 + i] = descriptor[i];
        }
        LaneContext memory context = _context();
        Plain memory r = _good();
        r.signatureValid = false;
        assertEq(lane.settle(r), 2);
        (, bytes31 computed) = verifier.execute(header, context, 0, abi.encode(proof));
        assertEq(bytes32(computed), bytes32(lane.stateRoot()));
    }

    function _assertOnlyPosition(bytes memory body, uint48 records) internal {
        (Header memory header, Proof memory proof) = _batch(body, bytes31(0));
        LaneContext memory context = _context();
        // Not one leaf is needed: slot 0 of each tree stands for the tree.
        uint32[] memory zero = new uint32[](1);
        proof.witness = _witnessOf(zero, zero);
        (, bytes31 computed) = verifier.execute(header, context, 0, abi.encode(proof));
        Plain memory r;
        r.evse = 2;
        for (uint256 i = 0; i < records; i++) {
            assertEq(lane.settle(r), 1);
        }
        assertEq(bytes32(computed), bytes32(lane.stateRoot()));
    }

    // --- Random chunks

    /// forge-config: default.fuzz.runs = 48
    function testFuzz_execute_equalsReference(uint256 seed) public {
        _run(_random(seed));
    }

    function test_execute_randomChunks_meetEveryOutcome() public {
        uint256 seen;
        uint256 snapshot;
        for (uint256 seed = 0; seed < 24; seed++) {
            // Chunks come in threes, so that later ones overlap earlier ones, and then the lane begins anew.
            if (seed % 3 == 0) snapshot = vm.snapshotState();
            if (seed == 3) _fund(1, AS_OF, 1_000_000);
            uint256[] memory outcomes = _run(_random(seed));
            for (uint256 i = 0; i < outcomes.length; i++) {
                seen |= 2 ** outcomes[i];
            }
            if (seed % 3 == 2) vm.revertToState(snapshot);
        }
        assertEq(seen, (1 << 13) - 1, "outcomes met");
    }

    function _random(uint256 seed) internal view returns (Plain[] memory records) {
        records = new Plain[](22);
        uint32 start = (PERIOD - 24) * 60 + uint32(seed % 1200);
        for (uint256 i = 0; i < 22; i++) {
            uint256 dice = uint256(keccak256(abi.encode(seed, i)));
            if (dice % 16 == 0) continue;
            Plain memory r = records[i];
            r.intervals = uint8(1 + (dice >> 8) % 20);
            start += dice >> 16 & 1 == 0 ? 0 : uint32((dice >> 24) % 120);
            if (start % 60 + r.intervals > 60) start = start / 60 * 60 + 60;
            r.start = start;
            r.evse = evses[(dice >> 32) % evses.length].slot;
            r.contractSlot = contracts[(dice >> 40) % contracts.length].slot;
            r.energyWh = uint24(1 + (dice >> 48) % (uint256(r.intervals) * 45));
            r.meterEndWh = uint40(100_000 + (start - (PERIOD - 40) * 60) * 60);
            r.socDrop = uint16((dice >> 72) % 4 == 0 ? (dice >> 80) % 60 : 300);
            r.tempC = uint8((dice >> 96) % 4 == 0 ? (dice >> 104) : (dice >> 112) % 60);
            r.signatureValid = (dice >> 120) % 12 != 0;
            if ((dice >> 128) % 8 != 0) {
                if ((dice >> 136) % 3 != 0) start += r.intervals;
                continue;
            }
            uint256 fault = (dice >> 144) % 18;
            if (fault == 0) r.evse = uint32(dice >> 160);
            if (fault == 1) r.contractSlot = uint32(dice >> 160);
            if (fault == 2) r.start = uint32(dice >> 160);
            if (fault == 3) r.intervals = uint8(dice >> 160);
            if (fault == 4) r.energyWh = uint24(dice >> 160);
            if (fault == 5) r.meterEndWh = uint40((dice >> 160) % 90_000);
            if (fault == 6) r.socDrop = uint16(dice >> 160);
            if (fault == 7) r.start = r.start / 60 * 60 + 60 - r.intervals / 2;
            if (fault > 7 && fault < 13) r.start -= 60;
            if (fault > 12) r.energyWh = uint24(r.intervals) * 120;
        }
    }

    // --- Wrong witnesses

    function test_execute_wrongLeaf_reverts() public {
        (Header memory header, Proof memory proof) = _batch(_signed(_good()), bytes31(0));
        proof.witness.evses[35] ^= 0x01;
        _expectPartial(IFraudVerifier.WrongPreRoot.selector, header, proof);
        (, proof) = _batch(_signed(_good()), bytes31(0));
        proof.witness.contracts[4] ^= 0x01;
        _expectPartial(IFraudVerifier.WrongPreRoot.selector, header, proof);
        (, proof) = _batch(_signed(_good()), bytes31(0));
        proof.witness.laneLeaf = bytes32(uint256(1));
        _expectPartial(IFraudVerifier.WrongPreRoot.selector, header, proof);
        (, proof) = _batch(_signed(_good()), bytes31(0));
        proof.witness.evseSiblings[0] ^= 0x01;
        _expectPartial(IFraudVerifier.WrongPreRoot.selector, header, proof);
    }

    function test_execute_wrongDescriptor_reverts() public {
        (Header memory header, Proof memory proof) = _batch(_signed(_good()), bytes31(0));
        proof.witness.evses[36 + 70] ^= 0x01;
        _expect(abi.encodeWithSelector(IFraudVerifier.WrongDescriptor.selector, 0), header, proof);
        (, proof) = _batch(_signed(_good()), bytes31(0));
        proof.witness.contracts[36 + 9] ^= 0x01;
        _expect(abi.encodeWithSelector(IFraudVerifier.WrongDescriptor.selector, 0), header, proof);
    }

    function test_execute_missingEntries_revert() public {
        Plain memory r = _good();
        r.evse = 1;
        r.contractSlot = 4;
        (Header memory header, Proof memory proof) = _batch(_signed(r), bytes31(0));
        uint32[] memory zero = new uint32[](1);
        uint32[] memory one = new uint32[](1);
        one[0] = 1;
        proof.witness = _witnessOf(zero, zero);
        _expect(abi.encodeWithSelector(IFraudVerifier.MissingEvse.selector, 1), header, proof);
        proof.witness = _witnessOf(one, zero);
        _expect(abi.encodeWithSelector(IFraudVerifier.MissingContract.selector, 4), header, proof);
    }

    function test_execute_siblingsLeftOverOrMissing_revert() public {
        (Header memory header, Proof memory proof) = _batch(_signed(_good()), bytes31(0));
        bytes memory siblings = proof.witness.contractSiblings;
        proof.witness.contractSiblings = bytes.concat(siblings, bytes32(0));
        _expectPartial(IFraudVerifier.SiblingsLeftOver.selector, header, proof);
        assembly ("memory-safe") {
            mstore(siblings, sub(mload(siblings), 32))
        }
        proof.witness.contractSiblings = siblings;
        _expectPartial(IFraudVerifier.SiblingsMissing.selector, header, proof);
        assembly ("memory-safe") {
            mstore(siblings, sub(mload(siblings), 1))
        }
        _expectPartial(IFraudVerifier.WrongLength.selector, header, proof);
    }

    function test_execute_entriesOutOfOrderOrRange_revert() public {
        (Header memory header, Proof memory proof) = _batch(_signed(_good()), bytes31(0));
        bytes memory entries = proof.witness.evses;
        proof.witness.evses = bytes.concat(entries, entries);
        _expect(abi.encodeWithSelector(IFraudVerifier.SlotsNotRising.selector, 0), header, proof);
        proof.witness.evses = bytes.concat(entries, bytes4(uint32(1 << 20)), new bytes(32 + 85));
        _expect(abi.encodeWithSelector(IFraudVerifier.SlotOutOfRange.selector, 1 << 20), header, proof);
        proof.witness.evses = bytes.concat(entries, hex"00");
        _expectPartial(IFraudVerifier.WrongLength.selector, header, proof);
        proof.witness.evses = "";
        _expectPartial(IFraudVerifier.EmptyTreeWitness.selector, header, proof);
    }

    function test_execute_wrongFundingIndex_reverts() public {
        (Header memory header, Proof memory proof) = _batch(_signed(_good()), bytes31(0));
        uint32[4] memory wrong = [uint32(0), 2, 3, NONE];
        for (uint256 i = 0; i < 4; i++) {
            proof.witness.fundingIndex = wrong[i];
            _expect(
                abi.encodeWithSelector(IFraudVerifier.WrongFundingIndex.selector, wrong[i]), header, proof
            );
        }
    }

    function test_execute_noFundingYet_nothingSettles() public {
        for (uint32 i = 0; i < 3; i++) {
            l1.setCheckpoint(LANE, i, 0);
        }
        lane.setFunded(0);
        (Header memory header, Proof memory proof) = _batch(_signed(_good()), bytes31(0));
        proof.witness.fundingIndex = NONE;
        LaneContext memory context = _context();
        assertEq(lane.settle(_good()), 11);
        (, bytes31 computed) = verifier.execute(header, context, 0, abi.encode(proof));
        assertEq(bytes32(computed), bytes32(lane.stateRoot()));
        proof.witness.fundingIndex = 0;
        _expect(abi.encodeWithSelector(IFraudVerifier.WrongFundingIndex.selector, 0), header, proof);
    }

    function test_execute_tariffs_wrongMissingOrDisordered_revert() public {
        (Header memory header, Proof memory proof) = _batch(_signed(_good()), bytes31(0));
        bytes memory both = proof.witness.tariffs;
        proof.witness.tariffs[93] ^= 0x01;
        _expect(abi.encodeWithSelector(IFraudVerifier.WrongTariff.selector, 1), header, proof);
        proof.witness.tariffs[93] ^= 0x01;
        proof.witness.tariffVersions[1] = 2;
        _expect(abi.encodeWithSelector(IFraudVerifier.WrongTariff.selector, 2), header, proof);
        proof.witness.tariffVersions[1] = 0;
        _expect(abi.encodeWithSelector(IFraudVerifier.WrongTariff.selector, 0), header, proof);
        // Version 0 alone doesn't reach into the periods of version 1.
        proof.witness.tariffVersions = new uint32[](1);
        _expectPartial(IFraudVerifier.WrongLength.selector, header, proof);
        assembly ("memory-safe") {
            mstore(both, 92)
        }
        _expect(abi.encodeWithSelector(IFraudVerifier.MissingTariff.selector, PERIOD), header, proof);
        proof.witness.tariffVersions = new uint32[](0);
        proof.witness.tariffs = "";
        _expect(abi.encodeWithSelector(IFraudVerifier.MissingTariff.selector, PERIOD), header, proof);
    }

    function test_execute_wrongData_reverts() public {
        (Header memory header, Proof memory proof) = _batch(_signed(_good()), bytes31(0));
        proof.opening.chunk[40] ^= 0x01;
        _expect(abi.encodeWithSelector(IFraudVerifier.WrongChunkData.selector, 0), header, proof);
        proof.dataWords[0] = keccak256(proof.opening.chunk);
        _expectPartial(IFraudVerifier.WrongDataWords.selector, header, proof);
        (, proof) = _batch(_signed(_good()), bytes31(0));
        proof.opening.next = hex"00";
        _expectPartial(IFraudVerifier.WrongLength.selector, header, proof);
        header.dataKind = 2;
        proof.opening.next = "";
        _expect(abi.encodeWithSelector(IFraudVerifier.UnknownDataKind.selector, 2), header, proof);
    }

    function test_execute_outsideOfItsScope_reverts() public {
        (Header memory header, Proof memory proof) = _batch("", bytes31(0));
        LaneContext memory context = _context();
        vm.expectRevert(abi.encodeWithSelector(IFraudVerifier.ChunkOutOfRange.selector, 1, 1));
        verifier.execute(header, context, 1, abi.encode(proof));
        context.scheme = 1;
        vm.expectRevert(abi.encodeWithSelector(IFraudVerifier.UnsupportedScheme.selector, 1));
        verifier.execute(header, context, 0, abi.encode(proof));
        header.forcedChunks = 1;
        vm.expectRevert(abi.encodeWithSelector(IFraudVerifier.ForcedChunkUnsupported.selector, 0));
        verifier.execute(header, context, 0, abi.encode(proof));
    }

    function test_constructor_wrongSetup_reverts() public {
        address wrong = address(l1);
        vm.expectRevert(abi.encodeWithSelector(IFraudVerifier.WrongTrustedSetup.selector, wrong));
        new FraudVerifier(IRegistry(wrong), ITariff(wrong), IVault(wrong), wrong);
    }

    // --- Starved precompiles

    /// At whatever gas: a revert or the root that full gas gives; a valid signature never turns bad for want of gas.
    function test_execute_gasSweep_noVerdictOutOfStarvation() public {
        Plain memory other = _good();
        other.evse = 1;
        (Header memory header, Proof memory proof) = _batch(_body(_two(_good(), other)), bytes31(0));
        LaneContext memory context = _context();
        bytes memory encoded = abi.encode(proof);
        lane.settle(_good());
        lane.settle(other);
        bytes32 expected = lane.stateRoot();
        uint256 refused;
        uint256 passed;
        for (uint256 gas_ = 20_000; gas_ < 1_000_000; gas_ += gas_ < 450_000 ? 1117 : 40_011) {
            try verifier.execute{gas: gas_}(header, context, 0, encoded) returns (bytes31, bytes31 computed) {
                assertEq(bytes32(computed), expected, "a verdict out of starvation");
                passed++;
            } catch {
                refused++;
            }
        }
        assertGt(refused, 100);
        assertGt(passed, 10);
    }

    // --- Helpers

    function _tail(bytes memory chunk) internal pure returns (bytes memory tail) {
        tail = new bytes(chunk.length - 31);
        for (uint256 i = 0; i < tail.length; i++) {
            tail[i] = chunk[31 + i];
        }
    }

    function _headerOf(bytes[] memory chunks, Proof[] memory proofs, bytes31 postRoot)
        internal
        pure
        returns (Header memory header)
    {
        bytes32[] memory words = new bytes32[](chunks.length);
        for (uint256 k = 0; k < chunks.length; k++) {
            words[k] = keccak256(chunks[k]);
            proofs[k].opening.chunk = chunks[k];
            proofs[k].opening.next = k + 1 < chunks.length ? chunks[k + 1] : bytes("");
            proofs[k].dataWords = words;
        }
        header.lane = LANE;
        header.asOf = AS_OF;
        header.dataKind = 1;
        header.chunkCount = uint32(chunks.length);
        header.postRoot = postRoot;
        header.dataHash = keccak256(abi.encodePacked(words));
    }

    function _seal(Header memory header, Proof memory proof) internal pure {
        proof.dataWords[0] = keccak256(proof.opening.chunk);
        header.dataHash = keccak256(abi.encodePacked(proof.dataWords));
    }

    function _expect(bytes memory revertData, Header memory header, Proof memory proof) internal {
        LaneContext memory context = _context();
        vm.expectRevert(revertData);
        verifier.execute(header, context, 0, abi.encode(proof));
    }

    function _expectPartial(bytes4 selector, Header memory header, Proof memory proof) internal {
        LaneContext memory context = _context();
        vm.expectPartialRevert(selector);
        verifier.execute(header, context, 0, abi.encode(proof));
    }
}
