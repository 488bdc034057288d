// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IFraudVerifier} from "../interfaces/IFraudVerifier.sol";
import {Bls12} from "./Bls12.sol";

/// @notice RFC 9380's suite BLS12381G2_XMD:SHA-256_SSWU_RO_: hash_to_field with m = 2, count = 2, L = 64, both elements mapped
/// by EIP-2537 (which clears the cofactor of each) and added.
library HashToG2 {
    /// Four elements of 64 bytes.
    uint256 private constant UNIFORM_BYTES = 256;
    uint256 private constant FP2_BYTES = 128;

    uint256 private constant P_HIGH = 0x1a0111ea397fe69a4b1ba7b6434bacd7;
    uint256 private constant P_LOW = 0x64774b84f38512bf6730d2a0f6b0f6241eabfffeb153ffffb9feffffffffaaab;
    /// ⌊2^636 / p⌋
    uint256 private constant RECIPROCAL = 0x9d835d2f3cc9e45ce28101b0cc7a6ba291b82741ff6a0a94bdf4771e0286779d;

    /// @notice A point of the subgroup, 256 bytes in EIP-2537's form.
    /// @param dst domain separation tag, at most 255 bytes
    function hash(bytes memory message, bytes memory dst) internal view returns (bytes memory point) {
        (bytes memory u0, bytes memory u1) = toField(message, dst);
        (bool ok, bytes memory q0) = Bls12.mapFp2ToG2(u0);
        // Elements are reduced and their images are points: no input makes these calls fail.
        if (!ok) revert IFraudVerifier.PrecompileMissing(Bls12.MAP_FP2_TO_G2);
        bytes memory q1;
        (ok, q1) = Bls12.mapFp2ToG2(u1);
        if (!ok) revert IFraudVerifier.PrecompileMissing(Bls12.MAP_FP2_TO_G2);
        (ok, point) = Bls12.g2Add(bytes.concat(q0, q1));
        if (!ok) revert IFraudVerifier.PrecompileMissing(Bls12.G2_ADD);
    }

    /// @notice hash_to_field: two elements of Fp2, c0 ‖ c1 of 64 bytes each.
    function toField(bytes memory message, bytes memory dst)
        internal
        view
        returns (bytes memory u0, bytes memory u1)
    {
        bytes memory uniform = expand(message, dst);
        u0 = new bytes(FP2_BYTES);
        u1 = new bytes(FP2_BYTES);
        for (uint256 i = 0; i < 4; i++) {
            bytes memory target = i < 2 ? u0 : u1;
            uint256 high;
            uint256 low;
            assembly ("memory-safe") {
                let source := add(add(uniform, 0x20), shl(6, i))
                high := mload(source)
                low := mload(add(source, 0x20))
            }
            (high, low) = reduce(high, low);
            assembly ("memory-safe") {
                let element := add(add(target, 0x20), shl(6, and(i, 1)))
                mstore(element, high)
                mstore(add(element, 0x20), low)
            }
        }
    }

    /// @notice expand_message_xmd with SHA-256, to 256 bytes.
    function expand(bytes memory message, bytes memory dst) internal view returns (bytes memory uniform) {
        uniform = new bytes(UNIFORM_BYTES);
        // Z_pad ‖ message ‖ I2OSP(256, 2) ‖ I2OSP(0, 1) ‖ DST_prime
        bytes memory primed = bytes.concat(dst, bytes1(uint8(dst.length)));
        bytes32 b0 = sha256(bytes.concat(bytes32(0), bytes32(0), message, hex"010000", primed));
        // Block and counter ‖ DST_prime
        bytes memory round = bytes.concat(bytes32(0), bytes1(0), primed);
        bool done = true;
        assembly ("memory-safe") {
            let start := add(round, 0x20)
            let target := add(uniform, 0x20)
            let block_ := 0
            for { let i := 1 } lt(i, 9) { i := add(i, 1) } {
                mstore(start, xor(b0, block_))
                mstore8(add(start, 0x20), i)
                done := and(done, staticcall(gas(), 2, start, mload(round), target, 0x20))
                block_ := mload(target)
                target := add(target, 0x20)
            }
        }
        if (!done) revert IFraudVerifier.PrecompileOutOfGas(address(2));
    }

    /// @notice (high · 2^256 + low) mod p. Barrett: high · RECIPROCAL / 2^380 is the quotient or one less, since both
    /// low / p and high / 2^380 are below 2^−123.
    function reduce(uint256 high, uint256 low) internal pure returns (uint256 h, uint256 l) {
        assembly ("memory-safe") {
            let wrapped := mulmod(high, RECIPROCAL, not(0))
            let product := mul(high, RECIPROCAL)
            let quotient := shr(124, sub(sub(wrapped, product), lt(wrapped, product)))

            // Of quotient · p, at most what is divided, both words.
            product := mul(quotient, P_LOW)
            wrapped := mulmod(quotient, P_LOW, not(0))
            let upper := add(sub(sub(wrapped, product), lt(wrapped, product)), mul(quotient, P_HIGH))
            h := sub(sub(high, upper), lt(low, product))
            l := sub(low, product)

            if or(gt(h, P_HIGH), and(eq(h, P_HIGH), iszero(lt(l, P_LOW)))) {
                h := sub(sub(h, P_HIGH), lt(l, P_LOW))
                l := sub(l, P_LOW)
            }
        }
    }
}
