// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IRegistry} from "./interfaces/IRegistry.sol";
import {IRollup} from "./interfaces/IRollup.sol";
import {ITariff} from "./interfaces/ITariff.sol";
import {Limits} from "./protocol/Limits.sol";
import {TariffTable} from "./protocol/TariffTable.sol";

/// @notice Event prices of zones and tariff versions of lanes (docs/protocol.md §5, §15.1).
contract Tariff is ITariff {
    uint256 private constant PRICES_PER_WORD = 8;
    uint256 private constant PRICE_BITS = 32;
    uint256 private constant PRICE_MASK = type(uint32).max;

    struct Versions {
        uint32 count;
        /// fromPeriod and largest incentive of the newest version.
        uint32 lastFromPeriod;
        uint16 maxIncentiveBps;
        mapping(uint32 version => bytes32) words;
    }

    IRollup public immutable rollup;
    IRegistry public immutable registry;

    mapping(uint32 zone => mapping(uint256 wordIndex => uint256)) private _prices;
    mapping(uint32 lane => Versions) private _versions;

    constructor(IRollup rollup_, IRegistry registry_) {
        rollup = rollup_;
        registry = registry_;
    }

    // --- Prices

    function setPrices(uint32 zone, uint32 firstPeriod, uint32[] calldata prices) external {
        if (msg.sender != registry.zone(zone).publisher) revert NotPublisher(zone, msg.sender);
        if (prices.length == 0) revert NoPrices();
        if (!_isAhead(firstPeriod)) revert PeriodFrozen(firstPeriod);
        uint256 end = uint256(firstPeriod) + prices.length;
        if (end > type(uint32).max) revert PeriodOutOfRange(end);

        mapping(uint256 wordIndex => uint256) storage words = _prices[zone];
        uint256 period = firstPeriod;
        while (period < end) {
            uint256 wordIndex = period / PRICES_PER_WORD;
            uint256 word = words[wordIndex];
            for (; period < end && period / PRICES_PER_WORD == wordIndex; ++period) {
                uint32 value = prices[period - firstPeriod];
                if (value >= Limits.MAX_PRICE_NANO) revert PriceOutOfRange(uint32(period), value);
                uint256 shift = _priceShift(period);
                word = (word & ~(PRICE_MASK << shift)) | uint256(value) << shift;
            }
            words[wordIndex] = word;
        }
        emit PricesSet(zone, firstPeriod, prices);
    }

    function price(uint32 zone, uint32 period) external view returns (uint32) {
        return uint32(priceWord(zone, period) >> _priceShift(period));
    }

    function priceWord(uint32 zone, uint32 period) public view returns (uint256) {
        return _prices[zone][period / PRICES_PER_WORD];
    }

    // --- Tariff versions

    function setTariff(uint32 lane, uint32 fromPeriod, bytes calldata tariff)
        external
        returns (uint32 version)
    {
        uint32 zone = rollup.zoneOf(lane);
        if (msg.sender != registry.zone(zone).operator) revert NotZoneOperator(zone, msg.sender);
        if (!_isAhead(fromPeriod)) revert FromPeriodTooSoon(fromPeriod);
        Versions storage versions = _versions[lane];
        version = versions.count;
        if (version != 0 && fromPeriod <= versions.lastFromPeriod) {
            revert FromPeriodNotAfterLast(fromPeriod, versions.lastFromPeriod);
        }
        _checkTariff(tariff);

        versions.words[version] = bytes32(uint256(keccak256(tariff)) >> 32 << 32 | fromPeriod);
        versions.count = version + 1;
        versions.lastFromPeriod = fromPeriod;
        versions.maxIncentiveBps = uint16(TariffTable.maxIncentiveBps(tariff));
        emit TariffSet(lane, version, fromPeriod, tariff);
    }

    function versionCount(uint32 lane) external view returns (uint32) {
        return _versions[lane].count;
    }

    function versionWord(uint32 lane, uint32 version) external view returns (bytes32) {
        return _versions[lane].words[version];
    }

    function maxIncentiveBps(uint32 lane) external view returns (uint16) {
        return _versions[lane].maxIncentiveBps;
    }

    // --- Rules

    function _isAhead(uint32 period) private view returns (bool) {
        return period * Limits.PERIOD_SECONDS >= block.timestamp + Limits.NOTICE_SECONDS;
    }

    function _priceShift(uint256 period) private pure returns (uint256) {
        return (period % PRICES_PER_WORD) * PRICE_BITS;
    }

    function _checkTariff(bytes calldata tariff) private pure {
        TariffTable.Flaw flaw = TariffTable.flaw(tariff);
        if (flaw == TariffTable.Flaw.LENGTH) revert WrongTariffLength(tariff.length);
        if (flaw == TariffTable.Flaw.TOLERANCE) {
            revert ToleranceOutOfRange(uint16(TariffTable.toleranceBps(tariff)));
        }
        if (flaw == TariffTable.Flaw.THRESHOLDS) revert ThresholdsNotRising();
    }
}
