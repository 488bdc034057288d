// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Finding, IFraudVerifier, LaneContext, Proof} from "../../src/interfaces/IFraudVerifier.sol";
import {Header} from "../../src/protocol/Header.sol";
import {ExecutionFixture} from "./ExecutionFixture.sol";
import {Plain} from "./ReferenceLane.sol";

/// Batches of several chunks, hostile chunks, and starved calls.
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

    // --- What one row did

    function test_inspect_rows_tellWhatTheySettled() public {
        Plain memory refused = _good();
        refused.contractSlot = 3;
        Plain[] memory records = _two(_good(), refused);
        (Header memory header, Proof memory proof) = _batch(_body(records), bytes31(0));
        LaneContext memory context = _context();
        uint256 spent = uint256(lane.laneLeaf()) >> 160;
        lane.settle(records[0]);
        lane.settle(records[1]);
        header.postRoot = lane.stateRoot();
        uint256 amount = (uint256(lane.laneLeaf()) >> 160) - spent;
        assertGt(amount, 0);

        Finding memory found = verifier.inspect(header, context, 0, 0, abi.encode(proof));
        assertTrue(found.settled);
        assertEq(found.amount, amount);
        assertEq(bytes32(uint256(found.record)), bytes32(uint256(_record(records[0]))));
        // It overlaps the first.
        found = verifier.inspect(header, context, 0, 1, abi.encode(proof));
        assertFalse(found.settled);
        assertEq(found.amount, 0);
        assertEq(bytes32(uint256(found.record)), bytes32(uint256(_record(records[1]))));
        // Padding.
        found = verifier.inspect(header, context, 0, 21, abi.encode(proof));
        assertFalse(found.settled);
        assertEq(found.record, 0);

        vm.expectRevert(abi.encodeWithSelector(IFraudVerifier.RowOutOfRange.selector, 22, 22));
        verifier.inspect(header, context, 0, 22, abi.encode(proof));
    }

    function test_inspect_falseChunk_reverts() public {
        bytes31 lie = bytes31(uint248(7));
        (Header memory header, Proof memory proof) = _batch(_body(_one(_good())), lie);
        LaneContext memory context = _context();
        lane.settle(_good());
        vm.expectRevert(abi.encodeWithSelector(IFraudVerifier.FalseChunk.selector, lie, lane.stateRoot()));
        verifier.inspect(header, context, 0, 0, abi.encode(proof));
    }

    function _record(Plain memory r) private view returns (uint192) {
        return uint192(bytes24(_signed(r)));
    }
}
