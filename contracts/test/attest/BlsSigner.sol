// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {HashToG2} from "../../src/bls/HashToG2.sol";
import {BlsSignature} from "../../src/bls/BlsSignature.sol";

/// @notice Signs with BLS12-381 by the precompiles.
library BlsSigner {
    bytes private constant GENERATOR = hex"0000000000000000000000000000000017f1d3a73197d7942695638c4fa9ac0fc3688c4f9774b905a14e3a3f171bac586c55e83ff97a1aeffb3af00adb22c6bb"
        hex"0000000000000000000000000000000008b3f481e3aaa0f1a09e30ed741d8ae4fcf5e095d5d00af600db18cb2c04b3edd03cc744a2888ae40caa232946c5e7e1";

    function publicKey(uint256 secret) internal view returns (bytes memory) {
        return _call(address(0x0c), abi.encodePacked(GENERATOR, secret));
    }

    function sign(uint256 secret, bytes memory message) internal view returns (bytes memory) {
        return _sign(secret, HashToG2.hash(message, "BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_"));
    }

    function possession(uint256 secret) internal view returns (bytes memory) {
        bytes memory key = BlsSignature.compressKey(publicKey(secret));
        return _sign(secret, HashToG2.hash(key, "BLS_POP_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_"));
    }

    /// @notice The sum of what all of them sign: keys add up as their signatures do.
    function signAll(uint256[] memory secrets, bytes memory message) internal view returns (bytes memory) {
        bytes memory point = HashToG2.hash(message, "BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_");
        bytes memory input;
        for (uint256 i = 0; i < secrets.length; ++i) {
            input = bytes.concat(input, point, bytes32(secrets[i]));
        }
        return _unpad(_call(address(0x0e), input));
    }

    function _sign(uint256 secret, bytes memory point) private view returns (bytes memory) {
        return _unpad(_call(address(0x0e), abi.encodePacked(point, secret)));
    }

    /// Four coordinates without the 16 zero bytes before each.
    function _unpad(bytes memory point) private pure returns (bytes memory bare) {
        bare = new bytes(192);
        for (uint256 i = 0; i < 192; ++i) {
            bare[i] = point[i / 48 * 64 + 16 + i % 48];
        }
    }

    function _call(address precompile, bytes memory input) private view returns (bytes memory output) {
        bool done;
        (done, output) = precompile.staticcall(input);
        require(done, "precompile");
    }
}
