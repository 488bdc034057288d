// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {SlotWord} from "./Descriptor.sol";
import {EvseLeaf} from "./Leaf.sol";
import {Limits} from "./Limits.sol";
import {Outcome} from "./Outcome.sol";
import {Record} from "./Record.sol";
import {TariffTable} from "./TariffTable.sol";

/// @notice The rules of docs/protocol.md §5, one record at a time. Pure; whoever calls brings the facts and keeps the
/// order of the checks. Sums are compared, never differences, so that nothing underflows.
library Settlement {
    /// @notice Checks 1 and 7 but for the slot's range: the slot stands at `asOf` and over the record's whole span.
    function active(bytes32 word, Record record, uint256 asOf) internal pure returns (bool) {
        if (word == 0) return false;
        uint256 from = SlotWord.activeFrom(word);
        if (from > asOf || from > record.start() * Limits.INTERVAL_SECONDS) return false;
        return record.end() * Limits.INTERVAL_SECONDS <= SlotWord.endsAt(word);
    }

    /// @notice Checks 3 to 6: the record by itself, then against its EVSE. SETTLED means passed.
    function checkMeasurement(Record record, EvseLeaf memory leaf, uint256 ratedW, uint256 asOf)
        internal
        pure
        returns (uint256)
    {
        if (!wellFormed(record, asOf)) return Outcome.MALFORMED;
        if (record.start() < leaf.lastEnd) return Outcome.OVERLAP;
        if (record.meterEndWh() < leaf.lastMeterWh + record.energyWh()) return Outcome.METER_REGRESSION;
        // Average power in 1/10 000 W over `intervals` intervals of 1/240 h on both sides.
        if (record.energyWh() * 240 * 10_000 > ratedW * Limits.POWER_TOLERANCE_BPS * record.intervals()) {
            return Outcome.POWER_EXCEEDED;
        }
        return Outcome.SETTLED;
    }

    /// @notice Check 3.
    function wellFormed(Record record, uint256 asOf) internal pure returns (bool) {
        uint256 intervals = record.intervals();
        uint256 energyWh = record.energyWh();
        if (intervals == 0 || intervals > Limits.MAX_INTERVALS) return false;
        if (energyWh == 0 || energyWh >= Limits.MAX_ENERGY_WH) return false;
        if (period(record) != (record.end() - 1) / Limits.PERIOD_INTERVALS) return false;
        if (record.end() * Limits.INTERVAL_SECONDS > asOf) return false;
        return record.socDrop() <= Limits.MAX_SOC_DROP;
    }

    /// @notice Check 8.
    function socConsistent(Record record, uint256 capacityWh, uint256 toleranceBps)
        internal
        pure
        returns (bool)
    {
        return record.energyWh() * 1e8 <= record.socDrop() * capacityWh * (1e4 + toleranceBps);
    }

    /// @notice The settlement period of a record that passed check 3.
    function period(Record record) internal pure returns (uint256) {
        return record.start() / Limits.PERIOD_INTERVALS;
    }

    /// @notice Where the record's session begins: a session goes on while spans touch and the contract stays.
    function sessionStart(Record record, EvseLeaf memory leaf) internal pure returns (uint256) {
        bool goesOn = record.start() == leaf.lastEnd && record.contractSlot() == leaf.lastContract;
        return goesOn ? leaf.sessionStart : record.start();
    }

    function averageW(Record record) internal pure returns (uint256) {
        return record.energyWh() * 240 / record.intervals();
    }

    /// @notice Check 10: the thermal multiplier, 0 where nothing may be paid.
    function thermalBps(Record record, bytes calldata tariff) internal pure returns (uint256) {
        if (record.tempC() > Limits.MAX_TEMP_C) return 0;
        return TariffTable.thermalBps(tariff, record.tempC());
    }

    /// @notice Every division rounds down. micro
    function amount(
        uint256 energyWh,
        uint256 priceNano,
        uint256 incentiveBps,
        uint256 tierBps,
        uint256 thermalBps_
    ) internal pure returns (uint256) {
        uint256 multiplier = incentiveBps * tierBps * thermalBps_ / 1e8;
        if (multiplier > Limits.MAX_MULTIPLIER_BPS) multiplier = Limits.MAX_MULTIPLIER_BPS;
        return energyWh * priceNano / 1000 * multiplier / 1e4;
    }
}
