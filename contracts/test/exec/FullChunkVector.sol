// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IFraudVerifier, LaneContext} from "../../src/interfaces/IFraudVerifier.sol";
import {TrustedSetup} from "../../src/kzg/TrustedSetup.sol";
import {Header} from "../../src/protocol/Header.sol";
import {Test} from "../base/Test.sol";
import {FakeL1} from "./FakeL1.sol";

/// @notice A chunk posted in a blob and everything that its proof is checked against, out of a file that
/// test/vectors/generate-full-chunk.ts writes.
abstract contract FullChunkVector is Test {
    FakeL1 internal l1 = new FakeL1();
    IFraudVerifier internal verifier = IFraudVerifier(
        deployArtifact(
            "FraudVerifier.sol:FraudVerifier", abi.encode(l1, l1, l1, l1, address(new TrustedSetup()))
        )
    );
    Header internal header;
    LaneContext internal context;
    uint32 internal chunk;
    bytes internal proof;
    bytes32 internal claimedByVector;

    event Measured(uint256 calldataBytes, uint256 executionGas, uint256 standardGas, uint256 floorGas);

    function _load(string memory path) internal {
        string memory json = vm.readFile(path);
        uint32 lane = uint32(vm.parseJsonUint(json, ".lane"));
        uint32 zone = uint32(vm.parseJsonUint(json, ".zone"));
        header.lane = lane;
        header.asOf = uint32(vm.parseJsonUint(json, ".asOf"));
        header.dataKind = uint8(vm.parseJsonUint(json, ".dataKind"));
        header.chunkCount = uint32(vm.parseJsonUint(json, ".chunkCount"));
        header.dataHash = vm.parseJsonBytes32(json, ".dataHash");
        header.postRoot = bytes31(vm.parseJsonBytes(json, ".postRoot"));
        context.zone = zone;
        context.scheme = uint8(vm.parseJsonUint(json, ".scheme"));
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

    /// Gas as a transaction pays it, with cold storage: execution plus calldata at 16 / 4, or its floor at 40 / 10.
    function _transactionGas() internal returns (uint256 total, uint256 calldataBytes) {
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
        emit Measured(call.length, execution, standard, floor);
        return (standard > floor ? standard : floor, call.length);
    }

    /// Whatever the gas: the right roots or none. Returns how often the gas was enough.
    function _sweep(uint256 from, uint256 to, uint256 step) internal view returns (uint256 passed) {
        for (uint256 gas_ = from; gas_ < to; gas_ += step) {
            try verifier.execute{gas: gas_}(header, context, chunk, proof) returns (
                bytes31 claimed, bytes31 computed
            ) {
                assertEq(bytes32(claimed), claimedByVector);
                assertEq(bytes32(computed), claimedByVector, "a verdict out of starvation");
                passed++;
            } catch {}
        }
    }
}
