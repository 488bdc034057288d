// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IFraudVerifier, Opening} from "../interfaces/IFraudVerifier.sol";
import {Bls12} from "../bls/Bls12.sol";
import {G1Point} from "../bls/G1Point.sol";
import {SetupConstants} from "./TrustedSetup.sol";

/// @notice Opens a blob on L1: one of its 64 chunks by that cell's EIP-7594 proof, or the first element of a chunk by EIP-4844's
/// point evaluation. Every fault reverts: it is the witness' fault.
library BlobCell {
    uint256 internal constant CELL_BYTES = 2048;
    /// element 32 ‖ commitment 48 ‖ proof 48
    uint256 internal constant ELEMENT_PROOF_BYTES = 128;
    uint256 private constant AFFINE_BYTES = 96;

    address private constant POINT_EVALUATION = address(0x0a);
    uint256 private constant POINT_EVALUATION_COST = 50_000;

    /// Order of the scalar field.
    uint256 internal constant R = 0x73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001;
    /// 7^((R − 1) / 4096), EIP-4844's root of unity.
    uint256 private constant OMEGA_4096 = 0x564c0a11a0f704f4fc3e8acfe0f8245f0ad1347b378fbf96e206da11a5d36306;
    /// OMEGA_4096^-64
    uint256 private constant OMEGA_64_INVERSE =
        0x640d097461a2eeaf4e84b3cd7dc75b61db872ef3dce28e788d28c143168bba2c;
    uint256 private constant INVERSE_OF_64 =
        0x721df0b5dcf70753126cf0a7e97b50a53e6ead72f3fe628f03ffffff04000001;

    uint256 private constant SETUP_POINTS = 64;
    uint256 private constant PAIR_BYTES = 160;
    uint256 private constant SETUP_BYTES = 10_240;
    /// EIP-2537's discount for 65 pairs.
    uint256 private constant MSM_DISCOUNT = 575;

    /// @notice Reverts unless the opening's chunk is cell `index` < 64 of the blob: elements 64·index to 64·index + 63.
    /// @param setup a TrustedSetup, whose code hash was checked
    ///
    /// With h = ω^bitrev6(index), the cell's elements are the polynomial's values on the coset h·⟨ω^64⟩, I is the polynomial of
    /// degree < 64 through them, and X^64 − h^64 vanishes on the coset. Verified is
    /// e(C − [I(τ)]₁ + h^64·π, G2) · e(π, −[τ^64]₂) = 1, EIP-7594's equation with the τ-independent part moved left.
    function verify(address setup, bytes32 versionedHash, uint256 index, Opening calldata opening)
        internal
        view
    {
        _requireLengths(opening);
        if (versionedHashOf(opening.commitment) != versionedHash) revert IFraudVerifier.WrongOpening();

        bytes memory proof = _pad(opening.cellProof);
        (bool ok, bytes memory sum) =
            Bls12.g1Msm(_interpolationInput(setup, index, opening.chunk, proof), MSM_DISCOUNT);
        if (!ok) revert IFraudVerifier.WrongOpening();
        // C needs no subgroup check of its own: the pairing checks the sum, and the rest of the sum is in the subgroup.
        (ok, sum) = Bls12.g1Add(bytes.concat(sum, _pad(opening.commitment)));
        if (!ok) revert IFraudVerifier.WrongOpening();
        (bool valid, bool one) =
            Bls12.pairing(bytes.concat(sum, SetupConstants.GENERATOR, proof, SetupConstants.NEG_TAU64));
        if (!valid || !one) revert IFraudVerifier.WrongOpening();
    }

    function _requireLengths(Opening calldata opening) private pure {
        uint256 length = opening.chunk.length;
        if (length != CELL_BYTES) revert IFraudVerifier.WrongLength("cell", length);
        length = opening.commitment.length;
        if (length != AFFINE_BYTES) revert IFraudVerifier.WrongLength("commitment", length);
        length = opening.cellProof.length;
        if (length != AFFINE_BYTES) revert IFraudVerifier.WrongLength("cellProof", length);
    }

    /// @notice Reverts unless element 64·index of the blob is the proof's first word, which is below R then.
    function verifyFirstElement(bytes32 versionedHash, uint256 index, bytes calldata elementProof)
        internal
        view
    {
        if (elementProof.length != ELEMENT_PROOF_BYTES) {
            revert IFraudVerifier.WrongLength("next", elementProof.length);
        }
        if (gasleft() < POINT_EVALUATION_COST + POINT_EVALUATION_COST / 63 + 2000) {
            revert IFraudVerifier.PrecompileOutOfGas(POINT_EVALUATION);
        }
        // versioned hash ‖ z ‖ y ‖ commitment ‖ proof; 64·index reversed in 12 bits is index reversed in 6.
        (bool ok, bytes memory output) = POINT_EVALUATION.staticcall{gas: POINT_EVALUATION_COST}(
            bytes.concat(versionedHash, bytes32(_coset(index)), elementProof)
        );
        if (!ok || output.length != 64) revert IFraudVerifier.WrongOpening();
    }

    /// @notice 0x01 ‖ the last 31 bytes of SHA-256 over the compressed commitment (EIP-4844).
    function versionedHashOf(bytes calldata commitment) internal pure returns (bytes32) {
        uint256 yHigh = uint128(bytes16(commitment[48:64]));
        uint256 yLow = uint256(bytes32(commitment[64:96]));
        bytes memory compressed = G1Point.compress(commitment[0:48], yHigh, yLow);
        return bytes32(uint256(1) << 248 | (uint256(sha256(compressed)) << 8 >> 8));
    }

    /// x 48 ‖ y 48 as EIP-2537 wants it: each behind 16 zero bytes.
    function _pad(bytes calldata affine) private pure returns (bytes memory) {
        return bytes.concat(bytes16(0), affine[0:48], bytes16(0), affine[48:96]);
    }

    /// ω^bitrev6(index)
    function _coset(uint256 index) private pure returns (uint256) {
        return _power(OMEGA_4096, _reverse6(index));
    }

    /// The 64 setup points with the negated coefficients of I, and π with h^64.
    function _interpolationInput(address setup, uint256 index, bytes calldata cell, bytes memory paddedProof)
        private
        view
        returns (bytes memory input)
    {
        input = new bytes((SETUP_POINTS + 1) * PAIR_BYTES);
        uint256 scalars;
        bool canonical = true;
        assembly ("memory-safe") {
            let start := add(input, 0x20)
            extcodecopy(setup, start, 0, SETUP_BYTES)
            mcopy(add(start, SETUP_BYTES), add(paddedProof, 0x20), 128)
            scalars := add(start, 128)
            let at := scalars
            for { let source := cell.offset } lt(source, add(cell.offset, CELL_BYTES)) {
                source := add(source, 0x20)
            } {
                let element := calldataload(source)
                canonical := and(canonical, lt(element, R))
                mstore(at, element)
                at := add(at, PAIR_BYTES)
            }
        }
        // The polynomial doesn't tell an element from its sum with R, but the chunk's bytes would.
        if (!canonical) revert IFraudVerifier.WrongOpening();
        _inverseTransform(scalars);

        uint256 exponent = _reverse6(index);
        uint256 hInverse = _power(OMEGA_4096, 4096 - exponent);
        uint256 h64 = _power(OMEGA_4096, 64 * exponent);
        assembly ("memory-safe") {
            // Coefficient m of I is a_m / (64·h^m), the transform leaving out the 64.
            let factor := sub(R, INVERSE_OF_64)
            let end := add(scalars, mul(SETUP_POINTS, PAIR_BYTES))
            for { let at := scalars } lt(at, end) { at := add(at, PAIR_BYTES) } {
                mstore(at, mulmod(mload(at), factor, R))
                factor := mulmod(factor, hInverse, R)
            }
            mstore(end, h64)
        }
    }

    /// In place over 64 words, 160 bytes apart: bit-reversed values in, 64 times the coefficients out, in order.
    function _inverseTransform(uint256 words) private pure {
        assembly ("memory-safe") {
            let size := mul(SETUP_POINTS, PAIR_BYTES)
            let end := add(words, size)
            // half: distance of a butterfly's two words.
            for { let half := PAIR_BYTES } lt(half, size) { half := shl(1, half) } {
                // The root of order 2·half / 160.
                let root := OMEGA_64_INVERSE
                for { let span := shl(1, half) } lt(span, size) { span := shl(1, span) } {
                    root := mulmod(root, root, R)
                }
                let twiddle := 1
                for { let offset := 0 } lt(offset, half) { offset := add(offset, PAIR_BYTES) } {
                    for { let at := add(words, offset) } lt(at, end) { at := add(at, shl(1, half)) } {
                        let left := mload(at)
                        let right := mulmod(mload(add(at, half)), twiddle, R)
                        mstore(at, addmod(left, right, R))
                        mstore(add(at, half), addmod(left, sub(R, right), R))
                    }
                    twiddle := mulmod(twiddle, root, R)
                }
            }
        }
    }

    function _power(uint256 base, uint256 exponent) private pure returns (uint256 result) {
        result = 1;
        for (; exponent != 0; exponent >>= 1) {
            if (exponent & 1 == 1) result = mulmod(result, base, R);
            base = mulmod(base, base, R);
        }
    }

    function _reverse6(uint256 index) private pure returns (uint256 reversed) {
        for (uint256 bit = 0; bit < 6; bit++) {
            reversed = reversed << 1 | ((index >> bit) & 1);
        }
    }
}
