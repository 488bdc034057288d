// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice What became of one record; the numbers are those of docs/protocol.md §5.
library Outcome {
    uint256 internal constant SETTLED = 0;
    uint256 internal constant UNKNOWN_EVSE = 1;
    uint256 internal constant BAD_SIGNATURE = 2;
    uint256 internal constant MALFORMED = 3;
    uint256 internal constant OVERLAP = 4;
    uint256 internal constant METER_REGRESSION = 5;
    uint256 internal constant POWER_EXCEEDED = 6;
    uint256 internal constant UNKNOWN_CONTRACT = 7;
    uint256 internal constant SOC_INCONSISTENT = 8;
    uint256 internal constant NO_EVENT = 9;
    uint256 internal constant THERMAL_LIMIT = 10;
    uint256 internal constant BUDGET_EXHAUSTED = 11;
    /// The all-zero record: padding, neither judged nor counted.
    uint256 internal constant EMPTY = 12;
}
