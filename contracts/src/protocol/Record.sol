// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice The 24 bytes of a discharge record as one integer, first byte most significant:
/// evse u32 | contract u32 | start u32 | intervals u8 | energyWh u24 | meterEndWh u40 | socDrop u16 | tempC u8
type Record is uint192;

using RecordLib for Record global;

library RecordLib {
    function isEmpty(Record record) internal pure returns (bool) {
        return Record.unwrap(record) == 0;
    }

    function evse(Record record) internal pure returns (uint256) {
        return uint256(Record.unwrap(record)) >> 160;
    }

    function contractSlot(Record record) internal pure returns (uint256) {
        return (uint256(Record.unwrap(record)) >> 128) & 0xffffffff;
    }

    /// @notice First interval of the span.
    function start(Record record) internal pure returns (uint256) {
        return (uint256(Record.unwrap(record)) >> 96) & 0xffffffff;
    }

    function intervals(Record record) internal pure returns (uint256) {
        return (uint256(Record.unwrap(record)) >> 88) & 0xff;
    }

    /// @notice First interval after the span; may exceed 32 bits.
    function end(Record record) internal pure returns (uint256) {
        return start(record) + intervals(record);
    }

    function energyWh(Record record) internal pure returns (uint256) {
        return (uint256(Record.unwrap(record)) >> 64) & 0xffffff;
    }

    function meterEndWh(Record record) internal pure returns (uint256) {
        return (uint256(Record.unwrap(record)) >> 24) & 0xffffffffff;
    }

    /// @notice State of charge lost, 0.01 %.
    function socDrop(Record record) internal pure returns (uint256) {
        return (uint256(Record.unwrap(record)) >> 8) & 0xffff;
    }

    function tempC(Record record) internal pure returns (uint256) {
        return uint256(Record.unwrap(record)) & 0xff;
    }
}
