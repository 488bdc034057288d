// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {G1Point} from "../../src/bls/G1Point.sol";
import {HashToG2} from "../../src/bls/HashToG2.sol";

/// @notice Keys and signatures by EIP-2537's multiplications, for tests that need many. What they are worth is shown by
/// BlsSignature.t.sol, whose signatures are another library's.
library BlsSigner {
    bytes private constant DST = "BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_";
    bytes private constant POSSESSION_DST = "BLS_POP_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_";

    error NoSum();

    function key(uint256 secret) internal view returns (bytes memory) {
        return _multiply(address(0x0c), abi.encodePacked(G1Point.GENERATOR, secret));
    }

    function possession(uint256 secret, bytes memory compressedKey) internal view returns (bytes memory) {
        bytes memory point = HashToG2.hash(compressedKey, POSSESSION_DST);
        return _unpad(_multiply(address(0x0e), abi.encodePacked(point, secret)));
    }

    /// @notice Aggregate of signatures, message i by secret i; of none, infinity.
    function sign(uint256[] memory secrets, bytes[] memory messages) internal view returns (bytes memory) {
        if (secrets.length == 0) return new bytes(192);
        bytes memory pairs;
        for (uint256 i = 0; i < secrets.length; i++) {
            pairs = abi.encodePacked(pairs, HashToG2.hash(messages[i], DST), secrets[i]);
        }
        return _unpad(_multiply(address(0x0e), pairs));
    }

    function _multiply(address precompile, bytes memory pairs) private view returns (bytes memory) {
        (bool ok, bytes memory sum) = precompile.staticcall(pairs);
        if (!ok || sum.length == 0) revert NoSum();
        return sum;
    }

    function _unpad(bytes memory point) private pure returns (bytes memory signature) {
        signature = new bytes(192);
        for (uint256 i = 0; i < 192; i++) {
            signature[i] = point[i / 48 * 64 + 16 + i % 48];
        }
    }
}
