// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice Public keys, commitments and proofs: points of BLS12-381's G1.
library G1Point {
    /// In EIP-2537's form.
    bytes internal constant GENERATOR = hex"0000000000000000000000000000000017f1d3a73197d7942695638c4fa9ac0fc3688c4f9774b905a14e3a3f171bac586c55e83ff97a1aeffb3af00adb22c6bb"
        hex"0000000000000000000000000000000008b3f481e3aaa0f1a09e30ed741d8ae4fcf5e095d5d00af600db18cb2c04b3edd03cc744a2888ae40caa232946c5e7e1";
    /// The generator with its y negated, in EIP-2537's form.
    bytes internal constant NEGATED_GENERATOR = hex"0000000000000000000000000000000017f1d3a73197d7942695638c4fa9ac0fc3688c4f9774b905a14e3a3f171bac586c55e83ff97a1aeffb3af00adb22c6bb"
        hex"00000000000000000000000000000000114d1d6855d545a8aa7d76c8cf2e21f267816aef1db507c96655b9d5caac42364e6f38ba0ecb751bad54dcd6b939c2ca";

    /// (p − 1) / 2
    uint256 private constant HALF_HIGH = 0x0d0088f51cbff34d258dd3db21a5d66b;
    uint256 private constant HALF_LOW = 0xb23ba5c279c2895fb39869507b587b120f55ffff58a9ffffdcff7fffffffd555;

    /// @notice ZCash's 48 bytes: x under the flags "compressed", "infinity" and "y is the larger root".
    /// @param x 48 bytes, overwritten
    /// @param yHigh y's 16 upper bytes
    function compress(bytes memory x, uint256 yHigh, uint256 yLow) internal pure returns (bytes memory) {
        uint8 flags = 0x80;
        // No point of the subgroup but infinity has y = 0.
        if (yHigh | yLow == 0) flags = 0xc0;
        else if (yHigh > HALF_HIGH || (yHigh == HALF_HIGH && yLow > HALF_LOW)) flags = 0xa0;
        x[0] |= bytes1(flags);
        return x;
    }
}
