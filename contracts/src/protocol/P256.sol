// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IFraudVerifier} from "../interfaces/IFraudVerifier.sol";

/// @notice ECDSA over P-256 by the precompile of EIP-7951.
library P256 {
    address internal constant PRECOMPILE = address(0x100);
    uint256 private constant COST = 6900;
    /// Enough for the call itself and what surrounds it.
    uint256 private constant SLACK = 1000;

    /// @notice Whether (r, s), high or low s, signs `digest` under the key (x, y). Anything that is no signature or no key is
    /// false; the precompile answers with empty output then and fails only for want of gas, which must not pass for a verdict.
    function verify(bytes32 digest, bytes32 r, bytes32 s, bytes32 x, bytes32 y)
        internal
        view
        returns (bool valid)
    {
        if (gasleft() < COST + COST / 63 + SLACK) revert IFraudVerifier.PrecompileOutOfGas(PRECOMPILE);
        bool done;
        assembly ("memory-safe") {
            let input := mload(0x40)
            mstore(input, digest)
            mstore(add(input, 0x20), r)
            mstore(add(input, 0x40), s)
            mstore(add(input, 0x60), x)
            mstore(add(input, 0x80), y)
            mstore(0, 0)
            done := staticcall(COST, 0x100, input, 0xa0, 0, 0x20)
            valid := and(eq(returndatasize(), 0x20), eq(mload(0), 1))
        }
        if (!done) revert IFraudVerifier.PrecompileOutOfGas(PRECOMPILE);
    }
}
