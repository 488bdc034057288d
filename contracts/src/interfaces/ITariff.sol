// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice Prices a zone and period, and the tariff versions of a lane (docs/protocol.md §5, §15.1).
interface ITariff {
    /// Price of firstPeriod + i is prices[i], 10^-9 token per Wh.
    event PricesSet(uint32 indexed zone, uint32 indexed firstPeriod, uint32[] prices);
    event TariffSet(uint32 indexed lane, uint32 indexed version, uint32 fromPeriod, bytes tariff);

    error NotPublisher(uint32 zone, address caller);
    error NotZoneOperator(uint32 zone, address caller);
    error NoPrices();
    error PeriodFrozen(uint32 period);
    error PeriodOutOfRange(uint256 period);
    error PriceOutOfRange(uint32 period, uint32 price);
    error FromPeriodTooSoon(uint32 fromPeriod);
    error FromPeriodNotAfterLast(uint32 fromPeriod, uint32 last);
    error WrongTariffLength(uint256 length);
    error ToleranceOutOfRange(uint16 toleranceBps);
    error ThresholdsNotRising();

    function setPrices(uint32 zone, uint32 firstPeriod, uint32[] calldata prices) external;
    function price(uint32 zone, uint32 period) external view returns (uint32);
    /// @notice The word that packs periods 8·(period / 8) … + 7.
    function priceWord(uint32 zone, uint32 period) external view returns (uint256);
    function setTariff(uint32 lane, uint32 fromPeriod, bytes calldata tariff)
        external
        returns (uint32 version);
    function versionCount(uint32 lane) external view returns (uint32);
    /// @notice Zero when there is no such version.
    function versionWord(uint32 lane, uint32 version) external view returns (bytes32);
    /// @notice Largest incentive that the lane's newest tariff allows; 0 without a tariff.
    function maxIncentiveBps(uint32 lane) external view returns (uint16);
}
