// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Limits} from "./Limits.sol";

/// @notice The 92 bytes of a tariff version (docs/protocol.md §15.1):
/// socToleranceBps u16 | maxIncentiveBps u16 | powerW u32 ×4 | session u32 ×4 | tierBps u16 ×16 (row = power)
/// | thermalC u8 ×8 | thermalBps u16 ×8
/// A lookup takes the last row whose threshold ≤ value; a valid table has one because its first threshold is 0.
library TariffTable {
    uint256 private constant POWER = 4;
    uint256 private constant SESSION = 20;
    uint256 private constant TIER = 36;
    uint256 private constant THERMAL_C = 68;
    uint256 private constant THERMAL_BPS = 76;
    uint256 private constant TIER_ROWS = 4;
    uint256 private constant THERMAL_ROWS = 8;

    enum Flaw {
        NONE,
        LENGTH,
        TOLERANCE,
        THRESHOLDS
    }

    /// @notice What keeps `tariff` from being a valid version, or NONE.
    function flaw(bytes calldata tariff) internal pure returns (Flaw) {
        if (tariff.length != Limits.TARIFF_BYTES) return Flaw.LENGTH;
        if (toleranceBps(tariff) >= Limits.MAX_SOC_TOLERANCE_BPS) return Flaw.TOLERANCE;
        if (!_rising(tariff, POWER, TIER_ROWS, 4)) return Flaw.THRESHOLDS;
        if (!_rising(tariff, SESSION, TIER_ROWS, 4)) return Flaw.THRESHOLDS;
        if (!_rising(tariff, THERMAL_C, THERMAL_ROWS, 1)) return Flaw.THRESHOLDS;
        return Flaw.NONE;
    }

    function toleranceBps(bytes calldata tariff) internal pure returns (uint256) {
        return _read(tariff, 0, 2);
    }

    function maxIncentiveBps(bytes calldata tariff) internal pure returns (uint256) {
        return _read(tariff, 2, 2);
    }

    /// @param averageW power over the span, watts
    /// @param session intervals from the session's start to the span's end
    function tierBps(bytes calldata tariff, uint256 averageW, uint256 session)
        internal
        pure
        returns (uint256)
    {
        uint256 row = _lastRow(tariff, POWER, TIER_ROWS, 4, averageW);
        uint256 column = _lastRow(tariff, SESSION, TIER_ROWS, 4, session);
        return _read(tariff, TIER + 2 * (TIER_ROWS * row + column), 2);
    }

    function thermalBps(bytes calldata tariff, uint256 tempC) internal pure returns (uint256) {
        uint256 row = _lastRow(tariff, THERMAL_C, THERMAL_ROWS, 1, tempC);
        return _read(tariff, THERMAL_BPS + 2 * row, 2);
    }

    /// Thresholds don't fall, so the last row that applies is the first one met from the end.
    function _lastRow(bytes calldata tariff, uint256 offset, uint256 rows, uint256 width, uint256 value)
        private
        pure
        returns (uint256 row)
    {
        row = rows - 1;
        while (row > 0 && _read(tariff, offset + row * width, width) > value) row--;
    }

    function _rising(bytes calldata tariff, uint256 offset, uint256 rows, uint256 width)
        private
        pure
        returns (bool)
    {
        uint256 last = _read(tariff, offset, width);
        if (last != 0) return false;
        for (uint256 row = 1; row < rows; row++) {
            uint256 threshold = _read(tariff, offset + row * width, width);
            if (threshold < last) return false;
            last = threshold;
        }
        return true;
    }

    /// `offset + width` is inside the 92 bytes at every call above; the length is the caller's to check.
    function _read(bytes calldata tariff, uint256 offset, uint256 width)
        private
        pure
        returns (uint256 value)
    {
        assembly ("memory-safe") {
            value := shr(sub(256, shl(3, width)), calldataload(add(tariff.offset, offset)))
        }
    }
}
