// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IRegistry} from "../interfaces/IRegistry.sol";
import {IRollup} from "../interfaces/IRollup.sol";

/// @notice Records that L1 makes a lane take (docs/protocol.md §10, §15.6).
contract ForcedQueue {
    IRollup public immutable rollup;
    IRegistry public immutable registry;

    constructor(IRollup rollup_, IRegistry registry_) {
        rollup = rollup_;
        registry = registry_;
    }
}
