// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

import {IRollup} from "../interfaces/IRollup.sol";
import {IVault} from "../interfaces/IVault.sol";

/// @notice Attesters, their signatures on batches, and what fast withdrawals may use of their stake (docs/protocol.md §11).
contract Attesters {
    IRollup public immutable rollup;
    IVault public immutable vault;
    IERC20 public immutable token;

    constructor(IRollup rollup_, IVault vault_, IERC20 token_) {
        rollup = rollup_;
        vault = vault_;
        token = token_;
    }
}
