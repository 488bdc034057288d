// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IFraudVerifier} from "../interfaces/IFraudVerifier.sol";
import {IVault} from "../interfaces/IVault.sol";

/// @notice A lane's funding at a batch's clock.
library LaneFunding {
    /// Stands for no checkpoint.
    uint32 private constant NONE = type(uint32).max;

    /// @notice Reverts unless `index` is the last checkpoint in force at `asOf`, NONE if there is none. micro
    function inForce(IVault vault, uint32 lane, uint256 asOf, uint32 index)
        internal
        view
        returns (uint256 funded)
    {
        uint32 next = 0;
        if (index != NONE) {
            bytes32 word = vault.checkpoint(lane, index);
            if (word == 0 || uint256(word) >> 224 > asOf) revert IFraudVerifier.WrongFundingIndex(index);
            funded = uint96(uint256(word) >> 128);
            next = index + 1;
            if (next == NONE) return funded;
        }
        bytes32 later = vault.checkpoint(lane, next);
        if (later != 0 && uint256(later) >> 224 <= asOf) revert IFraudVerifier.WrongFundingIndex(index);
    }
}
