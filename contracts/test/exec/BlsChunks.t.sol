// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {LaneContext, Proof} from "../../src/interfaces/IFraudVerifier.sol";
import {Header} from "../../src/protocol/Header.sol";
import {BlsFixture} from "./BlsFixture.sol";
import {NaiveTree} from "./NaiveTree.sol";
import {Plain} from "./ReferenceLane.sol";

/// Chunks of a BLS lane, honest and hostile, against the reference. Every run is its own negative twin: the computed root must be the
/// reference's, so an honest chunk proves nothing, and any other claim would be shown false.
contract BlsChunksTest is BlsFixture {
    uint256 internal constant RECORDS = 64;

    /// forge-config: default.fuzz.runs = 24
    function testFuzz_execute_equalsReference(uint256 seed) public {
        _run(_mostlyGenuine(seed));
    }

    function test_execute_randomChunks_meetEveryOutcome() public {
        uint256 seen;
        uint256 snapshot;
        for (uint256 seed = 0; seed < 18; seed++) {
            if (seed % 3 == 0) snapshot = vm.snapshotState();
            if (seed == 3) _fund(1, AS_OF, 1_000_000);
            uint256[] memory outcomes = _run(_mostlyGenuine(seed));
            for (uint256 i = 0; i < outcomes.length; i++) {
                seen |= 2 ** outcomes[i];
            }
            if (seed % 3 == 2) vm.revertToState(snapshot);
        }
        assertEq(seen, (1 << 13) - 1, "outcomes met");
    }

    function test_execute_good_settles_badSignature_spoilsAll() public {
        Plain memory other = _good();
        other.evse = 1;
        other.contractSlot = 3;
        uint256 snapshot = vm.snapshotState();
        uint256[] memory outcomes = _run(_two(_good(), other));
        assertEq(outcomes[0] | outcomes[1], 0);
        vm.revertToState(snapshot);
        other.signatureValid = false;
        outcomes = _run(_two(_good(), other));
        assertEq(outcomes[0], 2);
        assertEq(outcomes[1], 2);
    }

    /// A record that does not pass check 1 has no part in the aggregate, whatever it is.
    function test_execute_unknownEvse_isLeftOutOfTheSum() public {
        Plain memory unknown = _good();
        unknown.evse = 5;
        uint256[] memory outcomes = _run(_two(unknown, _good()));
        assertEq(outcomes[0], 1);
        assertEq(outcomes[1], 0);
    }

    /// The same record twice is in the sum twice; the second overlaps.
    function test_execute_recordTwice_isSummedTwice() public {
        uint256[] memory outcomes = _run(_two(_good(), _good()));
        assertEq(outcomes[0], 0);
        assertEq(outcomes[1], 4);
    }

    function test_execute_oneOfTwoSignaturesOnly_isBad() public view {
        Plain memory second = _good();
        second.start += 25;
        second.meterEndWh += 1000;
        Plain[] memory both = _two(_good(), second);
        _assertOnlyPosition(bytes.concat(_aggregate(_one(_good())), _records(both)), 2);
        _assertOnlyPosition(bytes.concat(_aggregate(_two(_good(), _good())), _records(both)), 2);
    }

    // --- Hostile aggregates: never a revert, never a settlement

    function test_execute_badAggregates_moveOnlyThePosition() public view {
        string memory json = vm.readFile("test/vectors/bls.json");
        string[] memory names = vm.parseJsonKeys(json, ".badSignatures");
        assertEq(names.length, 7);
        bytes memory records = _records(_one(_good()));
        for (uint256 i = 0; i < names.length; i++) {
            bytes memory bad = vm.parseJsonBytes(json, string.concat(".badSignatures.", names[i]));
            _assertOnlyPosition(bytes.concat(bad, records), 1);
        }
        // ZCash's order of coordinates.
        bytes memory genuine = _aggregate(_one(_good()));
        bytes memory swapped = new bytes(192);
        for (uint256 i = 0; i < 192; i++) {
            swapped[i] = genuine[i / 96 * 96 + (i + 48) % 96];
        }
        _assertOnlyPosition(bytes.concat(swapped, records), 1);
    }

    function test_execute_allOnes_movesOnlyThePosition() public view {
        bytes memory ones = new bytes(192 + 64 * 24);
        for (uint256 i = 0; i < ones.length; i++) {
            ones[i] = 0xff;
        }
        _assertOnlyPosition(ones, 64);
    }

    function test_execute_nothingToVerify_anyAggregateWill() public view {
        bytes memory garbage = new bytes(192);
        garbage[7] = 0x55;
        _assertOnlyPosition(garbage, 0);
        _assertOnlyPosition("", 0);
        Plain memory unknown = _good();
        unknown.evse = 5;
        _assertOnlyPosition(bytes.concat(garbage, _records(_one(unknown))), 1);
    }

    /// A registry would refuse such keys; the verifier must not stumble over them if one didn't.
    function test_execute_badKeys_areBadSignatures() public {
        string memory json = vm.readFile("test/vectors/bls.json");
        string[] memory names = vm.parseJsonKeys(json, ".badKeys");
        bytes memory honest = _evseDescriptor(evses[0]);
        bytes memory body = _body(_one(_good()));
        for (uint256 i = 0; i < names.length; i++) {
            bytes memory key = vm.parseJsonBytes(json, string.concat(".badKeys.", names[i]));
            bytes memory descriptor = bytes.concat(key, _slice(honest, 128));
            l1.setEvse(LANE, 0, _word(descriptor, 1, OPEN));
            (Header memory header, Proof memory proof) = _batch(body, bytes31(0));
            for (uint256 k = 0; k < 149; k++) {
                proof.witness.evses[36 + k] = descriptor[k];
            }
            _assertComputed(header, proof, 1);
            // The infinity key with the infinity aggregate.
            (header, proof) = _batch(bytes.concat(new bytes(192), _records(_one(_good()))), bytes31(0));
            for (uint256 k = 0; k < 149; k++) {
                proof.witness.evses[36 + k] = descriptor[k];
            }
            _assertComputed(header, proof, 1);
        }
    }

    function test_execute_gasSweep_noVerdictOutOfStarvation() public {
        Plain memory other = _good();
        other.evse = 1;
        (Header memory header, Proof memory proof) = _batch(_body(_two(_good(), other)), bytes31(0));
        bytes memory encoded = abi.encode(proof);
        LaneContext memory context = _context();
        lane.settle(_good());
        lane.settle(other);
        bytes32 expected = bytes32(lane.stateRoot());
        uint256 passed;
        uint256 refused;
        for (uint256 gas_ = 20_000; gas_ < 1_400_000; gas_ += gas_ < 900_000 ? 2503 : 40_011) {
            try verifier.execute{gas: gas_}(header, context, 0, encoded) returns (bytes31, bytes31 computed) {
                assertEq(bytes32(computed), expected, "a verdict out of starvation");
                passed++;
            } catch {
                refused++;
            }
        }
        assertGt(refused, 100);
        assertGt(passed, 5);
    }

    // --- Helpers

    function _mostlyGenuine(uint256 seed) internal view returns (Plain[] memory records) {
        records = _random(seed, RECORDS);
        if (seed % 4 == 0) return records;
        for (uint256 i = 0; i < RECORDS; i++) {
            records[i].signatureValid = true;
        }
    }

    function _assertOnlyPosition(bytes memory body, uint48 moved) internal view {
        (Header memory header, Proof memory proof) = _batch(body, bytes31(0));
        _assertComputed(header, proof, moved);
    }

    /// Each time on the untouched lane.
    function _assertComputed(Header memory header, Proof memory proof, uint48 moved) internal view {
        (, bytes31 computed) = verifier.execute(header, _context(), 0, abi.encode(proof));
        assertEq(bytes32(computed), bytes32(_rootWithPosition(moved)));
    }

    function _rootWithPosition(uint48 position) internal view returns (bytes31) {
        (uint32[] memory slots, bytes32[] memory leaves) = lane.evseLeaves();
        bytes32 evseRoot = NaiveTree.root(slots, leaves);
        (slots, leaves) = lane.contractLeaves();
        return NaiveTree.stateRoot(evseRoot, NaiveTree.root(slots, leaves), bytes32(uint256(position)));
    }

    function _slice(bytes memory data, uint256 from) internal pure returns (bytes memory tail) {
        tail = new bytes(data.length - from);
        for (uint256 i = 0; i < tail.length; i++) {
            tail[i] = data[from + i];
        }
    }
}
