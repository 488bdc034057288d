// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IFraudVerifier} from "../interfaces/IFraudVerifier.sol";

/// @notice Calls of EIP-2537's precompiles. A call fails alike for bad points and for want of gas, and whoever proves chooses
/// the gas; so each is made only when its whole cost can be forwarded, and a failure then means bad points. All points and field
/// elements are in EIP-2537's form.
library Bls12 {
    address internal constant G1_ADD = address(0x0b);
    address internal constant G1_MSM = address(0x0c);
    address internal constant G2_ADD = address(0x0d);
    address internal constant PAIRING = address(0x0f);
    address internal constant MAP_FP2_TO_G2 = address(0x11);

    uint256 internal constant G1_POINT_BYTES = 128;
    uint256 internal constant G2_POINT_BYTES = 256;
    /// G1 and G2 point.
    uint256 internal constant PAIR_BYTES = 384;
    uint256 private constant G1_MSM_PAIR_BYTES = 160;

    uint256 private constant G1_ADD_COST = 375;
    uint256 private constant G1_MUL_COST = 12_000;
    uint256 private constant G2_ADD_COST = 600;
    uint256 private constant PAIR_COST = 32_600;
    uint256 private constant PAIRING_BASE_COST = 37_700;
    uint256 private constant MAP_FP2_TO_G2_COST = 23_800;
    /// Enough for the call itself and what surrounds it.
    uint256 private constant SLACK = 1000;

    /// @param input two points
    function g1Add(bytes memory input) internal view returns (bool ok, bytes memory sum) {
        return _call(G1_ADD, G1_ADD_COST, input, G1_POINT_BYTES);
    }

    /// @param input point and scalar, 160 bytes each pair
    /// @param discount per mille, from EIP-2537's table for this number of pairs
    function g1Msm(bytes memory input, uint256 discount) internal view returns (bool ok, bytes memory sum) {
        uint256 cost = input.length / G1_MSM_PAIR_BYTES * G1_MUL_COST * discount / 1000;
        return _call(G1_MSM, cost, input, G1_POINT_BYTES);
    }

    /// @param input two points
    function g2Add(bytes memory input) internal view returns (bool ok, bytes memory sum) {
        return _call(G2_ADD, G2_ADD_COST, input, G2_POINT_BYTES);
    }

    /// @param input c0 ‖ c1, 64 bytes each
    /// @return ok whether both are below the modulus
    /// @return point in the subgroup: the precompile clears the cofactor
    function mapFp2ToG2(bytes memory input) internal view returns (bool ok, bytes memory point) {
        return _call(MAP_FP2_TO_G2, MAP_FP2_TO_G2_COST, input, G2_POINT_BYTES);
    }

    /// @param input G1 and G2 point, 384 bytes each pair
    /// @return ok whether the points are valid: below the modulus, on the curve and in the subgroup; infinity is
    /// @return one whether the product of the pairings is 1
    function pairing(bytes memory input) internal view returns (bool ok, bool one) {
        bytes memory output;
        uint256 cost = PAIR_COST * (input.length / PAIR_BYTES) + PAIRING_BASE_COST;
        (ok, output) = _call(PAIRING, cost, input, 32);
        // The output is one word.
        // forge-lint: disable-next-line(unsafe-typecast)
        one = ok && bytes32(output) == bytes32(uint256(1));
    }

    function _call(address precompile, uint256 cost, bytes memory input, uint256 outputBytes)
        private
        view
        returns (bool ok, bytes memory output)
    {
        output = new bytes(outputBytes);
        if (gasleft() < cost + cost / 63 + SLACK) revert IFraudVerifier.PrecompileOutOfGas(precompile);
        assembly ("memory-safe") {
            ok := staticcall(cost, precompile, add(input, 0x20), mload(input), add(output, 0x20), outputBytes)
            // A chain without the precompile succeeds with nothing.
            ok := and(ok, eq(returndatasize(), outputBytes))
        }
    }
}
