// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IFraudVerifier} from "../interfaces/IFraudVerifier.sol";
import {IRollup} from "../interfaces/IRollup.sol";

/// @notice Broken promises are slashed (docs/protocol.md §13, §15.9).
contract Promises {
    IRollup public immutable rollup;
    IFraudVerifier public immutable verifier;

    constructor(IRollup rollup_, IFraudVerifier verifier_) {
        rollup = rollup_;
        verifier = verifier_;
    }
}
