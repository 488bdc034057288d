// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IFraudVerifier} from "../interfaces/IFraudVerifier.sol";

library Sha256 {
    /// @notice SHA-256(left ‖ right), the `H` of docs/protocol.md.
    function pair(bytes32 left, bytes32 right) internal view returns (bytes32 digest) {
        bool done;
        assembly ("memory-safe") {
            mstore(0, left)
            mstore(0x20, right)
            done := staticcall(gas(), 2, 0, 0x40, 0, 0x20)
            digest := mload(0)
        }
        if (!done) revert IFraudVerifier.PrecompileOutOfGas(address(2));
    }
}
