// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Limits} from "../protocol/Limits.sol";

/// @notice How meters that see one discharge decide what it was (docs/protocol.md §12). Energy in Wh.
library Verdict {
    uint8 internal constant VEHICLE = 1;
    uint8 internal constant GRID = 2;
    uint8 internal constant BOTH = 3;

    /// @notice Whether a reading is below the record by more than the tolerance.
    function isBelow(uint256 recordWh, uint256 readingWh) internal pure returns (bool) {
        return 10_000 * recordWh > 10_000 * readingWh + recordWh * Limits.DISPUTE_TOLERANCE_BPS;
    }

    /// @notice The reading that stands: the median of three, of two the grid meter's, without a grid meter the lower.
    function standing(uint24 recordWh, uint8 filed, uint24 vehicleWh, uint24 gridWh)
        internal
        pure
        returns (uint24)
    {
        if (filed == BOTH) return _median(recordWh, vehicleWh, gridWh);
        if (filed == GRID) return gridWh;
        return _lower(recordWh, vehicleWh);
    }

    /// @notice The part of a record's amount that a lower reading does not cover, micro.
    function excess(uint256 amount, uint256 recordWh, uint256 standingWh) internal pure returns (uint256) {
        return amount - amount * standingWh / recordWh;
    }

    function _median(uint24 a, uint24 b, uint24 c) private pure returns (uint24) {
        (uint24 low, uint24 high) = a < b ? (a, b) : (b, a);
        if (c <= low) return low;
        return _lower(c, high);
    }

    function _lower(uint24 a, uint24 b) private pure returns (uint24) {
        return a < b ? a : b;
    }
}
