// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {FraudVerifier} from "../../src/fraud/FraudVerifier.sol";
import {IFraudVerifier, LaneContext} from "../../src/interfaces/IFraudVerifier.sol";
import {IForcedQueue} from "../../src/interfaces/IForcedQueue.sol";
import {IRegistry} from "../../src/interfaces/IRegistry.sol";
import {ITariff} from "../../src/interfaces/ITariff.sol";
import {IVault} from "../../src/interfaces/IVault.sol";
import {TrustedSetup} from "../../src/kzg/TrustedSetup.sol";
import {Header} from "../../src/protocol/Header.sol";
import {Test} from "../base/Test.sol";
import {FakeL1} from "./FakeL1.sol";

/// The dearest P-256 chunk, posted in a blob, with a proof that the TypeScript side made; test/vectors/generate-full-chunk.ts.
contract FullChunkTest is Test {
    FakeL1 internal l1 = new FakeL1();
    FraudVerifier internal verifier = new FraudVerifier(
        IRegistry(address(l1)),
        ITariff(address(l1)),
        IVault(address(l1)),
        IForcedQueue(address(l1)),
        address(new TrustedSetup())
    );
    Header internal header;
    LaneContext internal context;
    uint32 internal chunk;
    bytes internal proof;
    bytes32 internal claimedByVector;

    function setUp() public {
        string memory json = vm.readFile("test/vectors/full-chunk.json");
        uint32 lane = uint32(vm.parseJsonUint(json, ".lane"));
        uint32 zone = uint32(vm.parseJsonUint(json, ".zone"));
        header.lane = lane;
        header.asOf = uint32(vm.parseJsonUint(json, ".asOf"));
        header.dataKind = uint8(vm.parseJsonUint(json, ".dataKind"));
        header.chunkCount = uint32(vm.parseJsonUint(json, ".chunkCount"));
        header.dataHash = vm.parseJsonBytes32(json, ".dataHash");
        header.postRoot = bytes31(vm.parseJsonBytes(json, ".postRoot"));
        context.zone = zone;
        context.domain = vm.parseJsonBytes32(json, ".domain");
        context.parentRoot = bytes31(vm.parseJsonBytes(json, ".parentRoot"));
        chunk = uint32(vm.parseJsonUint(json, ".chunk"));
        proof = vm.parseJsonBytes(json, ".proof");
        claimedByVector = bytes31(vm.parseJsonBytes(json, ".claimed"));

        uint256[] memory slots = vm.parseJsonUintArray(json, ".slots");
        bytes32[] memory evseWords = vm.parseJsonBytes32Array(json, ".evseWords");
        bytes32[] memory contractWords = vm.parseJsonBytes32Array(json, ".contractWords");
        for (uint256 i = 0; i < slots.length; i++) {
            l1.setEvse(lane, uint32(slots[i]), evseWords[i]);
            l1.setContract(lane, uint32(slots[i]), contractWords[i]);
        }
        l1.setPrice(
            zone, uint32(vm.parseJsonUint(json, ".period")), uint32(vm.parseJsonUint(json, ".priceNano"))
        );
        uint256 tariffHash = uint256(keccak256(vm.parseJsonBytes(json, ".tariff")));
        l1.setVersion(lane, 0, bytes32(tariffHash >> 32 << 32 | vm.parseJsonUint(json, ".tariffFromPeriod")));
        uint256 funded = vm.parseJsonUint(json, ".fundedMicro");
        l1.setCheckpoint(lane, 0, bytes32(vm.parseJsonUint(json, ".effectiveFrom") << 224 | funded << 128));
    }

    function test_execute_honestFullBlobChunk_computesWhatWasClaimed() public view {
        (bytes31 claimed, bytes31 computed) = verifier.execute(header, context, chunk, proof);
        assertEq(bytes32(claimed), claimedByVector);
        assertEq(bytes32(computed), claimedByVector);
    }

    /// Gas as a transaction pays it, with cold storage: execution plus calldata at 16 / 4, or its floor at 40 / 10.
    function test_execute_fullBlobChunk_gasAndCalldata() public {
        bytes memory call = abi.encodeCall(IFraudVerifier.execute, (header, context, chunk, proof));
        vm.cool(address(l1));
        uint256 before = gasleft();
        (bool ok,) = address(verifier).staticcall(call);
        uint256 execution = before - gasleft();
        assertTrue(ok);
        uint256 zeros;
        for (uint256 i = 0; i < call.length; i++) {
            if (call[i] == 0) zeros++;
        }
        uint256 tokens = zeros + 4 * (call.length - zeros);
        uint256 standard = 21_000 + 4 * tokens + execution;
        uint256 floor = 21_000 + 10 * tokens;
        uint256 total = standard > floor ? standard : floor;
        emit Measured(call.length, execution, standard, floor);
        assertLt(call.length, 96 * 1024);
        assertLt(total, 2_500_000);
    }

    event Measured(uint256 calldataBytes, uint256 executionGas, uint256 standardGas, uint256 floorGas);

    /// Anything but the right root is shown by the difference; every tampered opening is refused.
    function test_execute_tamperedProof_neverYieldsAnotherRoot() public view {
        for (uint256 i = 0; i < 60; i++) {
            bytes memory tampered = proof;
            tampered[uint256(keccak256(abi.encode(i))) % tampered.length] ^= bytes1(uint8(2 ** (i % 8)));
            try verifier.execute(header, context, chunk, tampered) returns (
                bytes31 claimed, bytes31 computed
            ) {
                // The flipped bit lay in padding.
                assertEq(bytes32(claimed), claimedByVector);
                assertEq(bytes32(computed), claimedByVector);
            } catch {}
        }
    }

    function test_execute_gasSweep_revertsOrIsRight() public view {
        uint256 passed;
        for (uint256 gas_ = 100_000; gas_ < 2_300_000; gas_ += 73_001) {
            try verifier.execute{gas: gas_}(header, context, chunk, proof) returns (
                bytes31, bytes31 computed
            ) {
                assertEq(bytes32(computed), claimedByVector);
                passed++;
            } catch {}
        }
        assertGt(passed, 0);
    }
}
