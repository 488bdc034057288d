// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

import {IFraudVerifier} from "../interfaces/IFraudVerifier.sol";
import {IRegistry} from "../interfaces/IRegistry.sol";
import {IRollup} from "../interfaces/IRollup.sol";
import {IVault} from "../interfaces/IVault.sol";

/// @notice Disputed kWh, equivocation and double plugs (docs/protocol.md §12).
contract Court {
    IRollup public immutable rollup;
    IRegistry public immutable registry;
    IVault public immutable vault;
    IFraudVerifier public immutable verifier;
    IERC20 public immutable token;

    constructor(
        IRollup rollup_,
        IRegistry registry_,
        IVault vault_,
        IFraudVerifier verifier_,
        IERC20 token_
    ) {
        rollup = rollup_;
        registry = registry_;
        vault = vault_;
        verifier = verifier_;
        token = token_;
    }
}
