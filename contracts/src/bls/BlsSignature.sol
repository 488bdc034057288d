// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Bls12} from "./Bls12.sol";
import {G1Point} from "./G1Point.sol";
import {HashToG2} from "./HashToG2.sol";

/// @notice The pairings of a signature under way: e(−G1, signature), then e(key, hash) of each message.
struct Pairings {
    bytes input;
    /// Bytes of it that are filled.
    uint256 filled;
    /// A key was of the wrong length, or infinity.
    bool badKey;
}

/// @notice BLS signatures with keys in G1 and signatures in G2 (docs/protocol.md §15.5). Anything that is no signature or no key
/// is false, and want of gas reverts: it must not pass for a verdict. Keys are 128 bytes in EIP-2537's form; signatures 192, the
/// same form without its padding.
///
/// An aggregate over messages of several signers proves nothing unless every key's possession was proven before.
library BlsSignature {
    using BlsSignature for Pairings;

    bytes private constant DST = "BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_";
    bytes private constant POSSESSION_DST = "BLS_POP_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_";

    uint256 internal constant KEY_BYTES = 128;
    uint256 internal constant SIGNATURE_BYTES = 192;

    /// @notice Whether `possession` proves that somebody holds the key's secret; then the key is a valid one, too.
    function verifyPossession(bytes memory key, bytes memory possession) internal view returns (bool) {
        if (key.length != KEY_BYTES) return false;
        Pairings memory pairings = open(1);
        pairings.addPoint(key, HashToG2.hash(compressKey(key), POSSESSION_DST));
        return pairings.verify(possession);
    }

    function verifyOne(bytes memory key, bytes memory message, bytes memory signature)
        internal
        view
        returns (bool)
    {
        Pairings memory pairings = open(1);
        pairings.add(key, message);
        return pairings.verify(signature);
    }

    /// @notice Whether all of `keys`, 128 bytes each, signed the same message. Nobody is no signer.
    /// @param keys of proven possession: the sum alone is checked for the subgroup
    function verifyCommon(bytes memory keys, bytes memory message, bytes memory signature)
        internal
        view
        returns (bool)
    {
        if (keys.length == 0 || keys.length % KEY_BYTES != 0) return false;
        bytes memory sum = new bytes(KEY_BYTES);
        bytes memory both = new bytes(2 * KEY_BYTES);
        for (uint256 offset = 0; offset < keys.length; offset += KEY_BYTES) {
            assembly ("memory-safe") {
                mcopy(add(both, 0x20), add(sum, 0x20), KEY_BYTES)
                mcopy(add(both, 0xa0), add(add(keys, 0x20), offset), KEY_BYTES)
            }
            bool ok;
            (ok, sum) = Bls12.g1Add(both);
            if (!ok) return false;
        }
        return verifyOne(sum, message, signature);
    }

    /// @notice Room for the messages of an aggregate.
    function open(uint256 messages) internal pure returns (Pairings memory pairings) {
        pairings.input = new bytes((messages + 1) * Bls12.PAIR_BYTES);
        pairings.filled = Bls12.PAIR_BYTES;
    }

    /// @notice Adds a message and who must have signed it; as many as there is room for.
    function add(Pairings memory pairings, bytes memory key, bytes memory message) internal view {
        pairings.addPoint(key, HashToG2.hash(message, DST));
    }

    /// @notice Adds a message by its point, 256 bytes.
    function addPoint(Pairings memory pairings, bytes memory key, bytes memory point) internal pure {
        if (key.length != KEY_BYTES || _isZero(key)) {
            pairings.badKey = true;
            return;
        }
        bytes memory input = pairings.input;
        uint256 filled = pairings.filled;
        pairings.filled = filled + Bls12.PAIR_BYTES;
        assert(pairings.filled <= input.length);
        assembly ("memory-safe") {
            let target := add(add(input, 0x20), filled)
            mcopy(target, add(key, 0x20), KEY_BYTES)
            mcopy(add(target, KEY_BYTES), add(point, 0x20), 256)
        }
    }

    /// @notice Whether the signature is the sum of one for each message added: e(G1, signature) = Π e(key, hash).
    function verify(Pairings memory pairings, bytes memory signature) internal view returns (bool) {
        if (pairings.badKey || signature.length != SIGNATURE_BYTES) return false;
        bytes memory input = pairings.input;
        assert(pairings.filled == input.length);
        bytes memory generator = G1Point.NEGATED_GENERATOR;
        assembly ("memory-safe") {
            let target := add(input, 0x20)
            mcopy(target, add(generator, 0x20), KEY_BYTES)
            // Each of the four coordinates goes behind 16 zero bytes.
            target := add(target, add(KEY_BYTES, 16))
            let source := add(signature, 0x20)
            for { let i := 0 } lt(i, 4) { i := add(i, 1) } {
                mcopy(target, source, 48)
                target := add(target, 64)
                source := add(source, 48)
            }
        }
        (, bool one) = Bls12.pairing(input);
        return one;
    }

    /// @notice The 48 bytes that a proof of possession signs.
    function compressKey(bytes memory key) internal pure returns (bytes memory) {
        bytes memory x = new bytes(48);
        uint256 yHigh;
        uint256 yLow;
        assembly ("memory-safe") {
            mcopy(add(x, 0x20), add(key, 0x30), 48)
            yHigh := mload(add(key, 0x60))
            yLow := mload(add(key, 0x80))
        }
        return G1Point.compress(x, yHigh, yLow);
    }

    function _isZero(bytes memory key) private pure returns (bool zero) {
        assembly ("memory-safe") {
            zero := iszero(
                or(
                    or(mload(add(key, 0x20)), mload(add(key, 0x40))),
                    or(mload(add(key, 0x60)), mload(add(key, 0x80)))
                )
            )
        }
    }
}
