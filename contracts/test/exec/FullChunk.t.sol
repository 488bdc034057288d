// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {FullChunkVector} from "./FullChunkVector.sol";

/// The dearest P-256 chunk, with a proof that the TypeScript side made.
contract FullChunkTest is FullChunkVector {
    function setUp() public {
        _load("test/vectors/full-chunk.json");
    }

    function test_execute_honestFullBlobChunk_computesWhatWasClaimed() public view {
        (bytes31 claimed, bytes31 computed) = verifier.execute(header, context, chunk, proof);
        assertEq(bytes32(claimed), claimedByVector);
        assertEq(bytes32(computed), claimedByVector);
    }

    function test_execute_fullBlobChunk_gasAndCalldata() public {
        (uint256 total, uint256 calldataBytes) = _transactionGas();
        assertLt(calldataBytes, 96 * 1024);
        assertLt(total, 2_500_000);
    }

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
        assertGt(_sweep(100_000, 2_300_000, 73_001), 0);
    }
}
