// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IFraudVerifier, Opening} from "../../src/interfaces/IFraudVerifier.sol";
import {BlobCell} from "../../src/kzg/BlobCell.sol";
import {SetupConstants, TrustedSetup} from "../../src/kzg/TrustedSetup.sol";
import {Test} from "../base/Test.sol";

contract CellHarness {
    function verify(address setup, bytes32 versionedHash, uint256 index, Opening calldata opening)
        external
        view
    {
        BlobCell.verify(setup, versionedHash, index, opening);
    }

    function verifyFirstElement(bytes32 versionedHash, uint256 index, bytes calldata element) external view {
        BlobCell.verifyFirstElement(versionedHash, index, element);
    }

    function versionedHashOf(bytes calldata commitment) external pure returns (bytes32) {
        return BlobCell.versionedHashOf(commitment);
    }
}

/// Real proofs by node-eth-kzg; test/vectors/generate-kzg-cells.ts writes them.
contract BlobCellTest is Test {
    struct Vector {
        uint256 index;
        bytes32 versionedHash;
        Opening opening;
        bytes element;
    }

    uint256 internal constant VECTORS = 11;

    CellHarness internal harness = new CellHarness();
    address internal setup = address(new TrustedSetup());
    Vector[] internal vectors;

    function setUp() public {
        string memory json = vm.readFile("test/vectors/kzg-cells.json");
        for (uint256 i = 0; i < VECTORS; i++) {
            string memory base = string.concat(".vectors[", vm.toString(i), "]");
            vectors.push(
                Vector({
                    index: vm.parseJsonUint(json, string.concat(base, ".index")),
                    versionedHash: vm.parseJsonBytes32(json, string.concat(base, ".versionedHash")),
                    opening: Opening({
                        chunk: vm.parseJsonBytes(json, string.concat(base, ".cell")),
                        commitment: vm.parseJsonBytes(json, string.concat(base, ".commitment")),
                        cellProof: vm.parseJsonBytes(json, string.concat(base, ".proof")),
                        next: ""
                    }),
                    element: vm.parseJsonBytes(json, string.concat(base, ".element"))
                })
            );
        }
    }

    function test_trustedSetup_codeHash_isPinned() public view {
        assertEq(setup.codehash, SetupConstants.CODE_HASH);
        assertEq(setup.code.length, 10240);
    }

    function test_verify_realCells_pass() public view {
        for (uint256 i = 0; i < VECTORS; i++) {
            Vector memory v = vectors[i];
            harness.verify(setup, v.versionedHash, v.index, v.opening);
        }
    }

    function test_verify_gas() public view {
        Vector memory v = vectors[0];
        uint256 before = gasleft();
        harness.verify(setup, v.versionedHash, v.index, v.opening);
        assertLt(before - gasleft(), 640_000);
    }

    function test_versionedHashOf_bothSignsAndInfinity() public view {
        for (uint256 i = 0; i < VECTORS; i++) {
            Vector memory v = vectors[i];
            assertEq(harness.versionedHashOf(v.opening.commitment), v.versionedHash);
        }
    }

    function test_verify_anyTamperedElement_reverts() public {
        Vector memory v = vectors[3];
        for (uint256 element = 0; element < 64; element += 9) {
            bytes memory cell = bytes.concat(v.opening.chunk);
            cell[32 * element + 31] ^= 0x01;
            Opening memory opening = Opening(cell, v.opening.commitment, v.opening.cellProof, "");
            vm.expectRevert(IFraudVerifier.WrongOpening.selector);
            harness.verify(setup, v.versionedHash, v.index, opening);
        }
    }

    /// The same polynomial, other bytes: what only the range check refuses.
    function test_verify_elementPlusModulus_reverts() public {
        Vector memory v = vectors[8];
        bytes memory cell = bytes.concat(v.opening.chunk);
        uint256 r = BlobCell.R;
        assembly ("memory-safe") {
            mstore(add(cell, 0x40), r)
        }
        vm.expectRevert(IFraudVerifier.WrongOpening.selector);
        harness.verify(
            setup, v.versionedHash, v.index, Opening(cell, v.opening.commitment, v.opening.cellProof, "")
        );
    }

    function test_verify_wrongIndex_reverts() public {
        Vector memory v = vectors[1];
        vm.expectRevert(IFraudVerifier.WrongOpening.selector);
        harness.verify(setup, v.versionedHash, v.index + 1, v.opening);
    }

    function test_verify_otherCellsProof_reverts() public {
        Vector memory v = vectors[1];
        v.opening.cellProof = vectors[2].opening.cellProof;
        vm.expectRevert(IFraudVerifier.WrongOpening.selector);
        harness.verify(setup, v.versionedHash, v.index, v.opening);
    }

    function test_verify_proofOffCurve_reverts() public {
        Vector memory v = vectors[1];
        v.opening.cellProof[95] ^= 0x01;
        vm.expectRevert(IFraudVerifier.WrongOpening.selector);
        harness.verify(setup, v.versionedHash, v.index, v.opening);
    }

    function test_verify_infinityProof_reverts() public {
        Vector memory v = vectors[1];
        v.opening.cellProof = new bytes(96);
        vm.expectRevert(IFraudVerifier.WrongOpening.selector);
        harness.verify(setup, v.versionedHash, v.index, v.opening);
    }

    function test_verify_otherCommitment_reverts() public {
        Vector memory v = vectors[1];
        v.opening.commitment = vectors[6].opening.commitment;
        vm.expectRevert(IFraudVerifier.WrongOpening.selector);
        harness.verify(setup, v.versionedHash, v.index, v.opening);
    }

    /// Only the sign bit tells y from −y; both compress to the same x.
    function test_verify_negatedCommitment_reverts() public {
        Vector memory v = vectors[0];
        v.opening.commitment = _negate(v.opening.commitment);
        assertNotEq(harness.versionedHashOf(v.opening.commitment), v.versionedHash);
        vm.expectRevert(IFraudVerifier.WrongOpening.selector);
        harness.verify(setup, v.versionedHash, v.index, v.opening);
    }

    function test_verify_wrongLengths_revert() public {
        Vector memory v = vectors[0];
        bytes memory longer = bytes.concat(v.opening.chunk, hex"00");
        vm.expectRevert(abi.encodeWithSelector(IFraudVerifier.WrongLength.selector, bytes32("cell"), 2049));
        harness.verify(
            setup, v.versionedHash, v.index, Opening(longer, v.opening.commitment, v.opening.cellProof, "")
        );
        vm.expectRevert(abi.encodeWithSelector(IFraudVerifier.WrongLength.selector, bytes32("cellProof"), 0));
        harness.verify(
            setup, v.versionedHash, v.index, Opening(v.opening.chunk, v.opening.commitment, "", "")
        );
    }

    function test_verifyFirstElement_realProofs_pass() public view {
        for (uint256 i = 0; i < VECTORS; i++) {
            harness.verifyFirstElement(vectors[i].versionedHash, vectors[i].index, vectors[i].element);
        }
    }

    function test_verifyFirstElement_tampered_reverts() public {
        Vector memory v = vectors[4];
        vm.expectRevert(IFraudVerifier.WrongOpening.selector);
        harness.verifyFirstElement(v.versionedHash, v.index + 1, v.element);
        v.element[31] ^= 0x01;
        vm.expectRevert(IFraudVerifier.WrongOpening.selector);
        harness.verifyFirstElement(v.versionedHash, v.index, v.element);
    }

    /// With too little gas the answer is always a revert, and with enough it is always the truth.
    function test_verify_gasSweep_neverPassesTampered() public view {
        Vector memory v = vectors[0];
        Opening memory tampered =
            Opening(bytes.concat(v.opening.chunk), v.opening.commitment, v.opening.cellProof, "");
        tampered.chunk[40] ^= 0x01;
        for (uint256 gas_ = 20_000; gas_ <= 700_000; gas_ += 20_000) {
            assertFalse(_tries(gas_, v, tampered));
            if (gas_ >= 660_000) assertTrue(_tries(gas_, v, v.opening));
        }
    }

    function _tries(uint256 gas_, Vector memory v, Opening memory opening)
        internal
        view
        returns (bool passed)
    {
        try harness.verify{gas: gas_}(setup, v.versionedHash, v.index, opening) {
            passed = true;
        } catch {}
    }

    function _negate(bytes memory affine) internal pure returns (bytes memory) {
        uint256 pHigh = 0x1a0111ea397fe69a4b1ba7b6434bacd7;
        uint256 pLow = 0x64774b84f38512bf6730d2a0f6b0f6241eabfffeb153ffffb9feffffffffaaab;
        uint256 yHigh;
        uint256 yLow;
        assembly ("memory-safe") {
            yHigh := shr(128, mload(add(affine, 0x50)))
            yLow := mload(add(affine, 0x60))
        }
        unchecked {
            uint256 low = pLow - yLow;
            uint256 high = pHigh - yHigh - (pLow < yLow ? 1 : 0);
            bytes memory x = new bytes(48);
            assembly ("memory-safe") {
                mcopy(add(x, 0x20), add(affine, 0x20), 48)
            }
            return bytes.concat(x, bytes16(uint128(high)), bytes32(low));
        }
    }
}
