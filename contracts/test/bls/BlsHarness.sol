// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {BlsSignature, Pairings} from "../../src/bls/BlsSignature.sol";
import {HashToG2} from "../../src/bls/HashToG2.sol";

/// @notice The BLS libraries behind calls of their own, for tests in both languages.
contract BlsHarness {
    function hash(bytes calldata message, bytes calldata dst) external view returns (bytes memory) {
        return HashToG2.hash(message, dst);
    }

    function toField(bytes calldata message, bytes calldata dst)
        external
        view
        returns (bytes memory u0, bytes memory u1)
    {
        return HashToG2.toField(message, dst);
    }

    function expand(bytes calldata message, bytes calldata dst) external view returns (bytes memory) {
        return HashToG2.expand(message, dst);
    }

    function reduce(uint256 high, uint256 low) external pure returns (uint256, uint256) {
        return HashToG2.reduce(high, low);
    }

    function compressKey(bytes calldata key) external pure returns (bytes memory) {
        return BlsSignature.compressKey(key);
    }

    function verifyPossession(bytes calldata key, bytes calldata possession) external view returns (bool) {
        return BlsSignature.verifyPossession(key, possession);
    }

    function verifyOne(bytes calldata key, bytes calldata message, bytes calldata signature)
        external
        view
        returns (bool)
    {
        return BlsSignature.verifyOne(key, message, signature);
    }

    function verifyCommon(bytes calldata keys, bytes calldata message, bytes calldata signature)
        external
        view
        returns (bool)
    {
        return BlsSignature.verifyCommon(keys, message, signature);
    }

    function verifyAggregate(bytes[] calldata keys, bytes[] calldata messages, bytes calldata signature)
        external
        view
        returns (bool)
    {
        Pairings memory pairings = BlsSignature.open(messages.length);
        for (uint256 i = 0; i < messages.length; i++) {
            BlsSignature.add(pairings, keys[i], messages[i]);
        }
        return BlsSignature.verify(pairings, signature);
    }

    /// Under another ciphersuite's domain.
    function verifyUnder(
        bytes calldata dst,
        bytes calldata key,
        bytes calldata message,
        bytes calldata signature
    ) external view returns (bool) {
        Pairings memory pairings = BlsSignature.open(1);
        BlsSignature.addPoint(pairings, key, HashToG2.hash(message, dst));
        return BlsSignature.verify(pairings, signature);
    }
}
