// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {FullChunkVector} from "./FullChunkVector.sol";

/// The dearest BLS chunk, 64 records of as many EVSEs and contracts, with a proof that the TypeScript side made and signatures of
/// another library.
contract FullBlsChunkTest is FullChunkVector {
    /// A transaction's on main net.
    uint256 internal constant GAS_CAP = 16_777_216;

    function setUp() public {
        _load("test/vectors/full-bls-chunk.json");
    }

    function test_execute_honestFullBlobChunk_computesWhatWasClaimed() public view {
        (bytes31 claimed, bytes31 computed) = verifier.execute{gas: GAS_CAP}(header, context, chunk, proof);
        assertEq(bytes32(claimed), claimedByVector);
        assertEq(bytes32(computed), claimedByVector);
    }

    function test_execute_fullBlobChunk_gasAndCalldata() public {
        (uint256 total, uint256 calldataBytes) = _transactionGas();
        assertLt(calldataBytes, 96 * 1024);
        assertLt(total, 12_000_000);
    }

    /// The same signatures under another domain are bad ones: nothing settles, and the honest root would be called wrong.
    function test_execute_otherDomain_yieldsAnotherRoot() public {
        context.domain = keccak256("another lane");
        (bytes31 claimed, bytes31 computed) = verifier.execute(header, context, chunk, proof);
        assertEq(bytes32(claimed), claimedByVector);
        assertTrue(bytes32(computed) != claimedByVector);
    }

    function test_execute_tamperedProof_neverYieldsAnotherRoot() public view {
        for (uint256 i = 0; i < 12; i++) {
            bytes memory tampered = proof;
            tampered[uint256(keccak256(abi.encode(i))) % tampered.length] ^= bytes1(uint8(2 ** (i % 8)));
            try verifier.execute(header, context, chunk, tampered) returns (
                bytes31 claimed, bytes31 computed
            ) {
                assertEq(bytes32(claimed), claimedByVector);
                assertEq(bytes32(computed), claimedByVector);
            } catch {}
        }
    }

    function test_execute_gasSweep_revertsOrIsRight() public view {
        assertGt(_sweep(200_000, 11_000_000, 150_001), 5);
    }

    /// Finely where the aggregate's pairing is about to be called, the one place where starving would make it look bad.
    function test_execute_gasSweep_aroundThePairing() public view {
        _sweep(5_500_000, 8_500_000, 40_007);
    }
}
