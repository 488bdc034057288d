// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IRollup} from "../../src/interfaces/IRollup.sol";
import {ITariff} from "../../src/interfaces/ITariff.sol";
import {Limits} from "../../src/protocol/Limits.sol";
import {Fixture} from "./Fixture.sol";
import {TestTariff} from "./TestTariff.sol";

contract TariffTest is Fixture {
    /// The fixture starts on a period's start and is a minute into it: this is the first that notice allows.
    uint32 internal constant FIRST = uint32(START / 900 + 3);

    function _prices(uint256 count) internal pure returns (uint32[] memory prices) {
        prices = new uint32[](count);
        for (uint256 i = 0; i < count; ++i) {
            prices[i] = uint32(33_310 + i);
        }
    }

    function _setPrices(uint32 first, uint32[] memory prices, bytes memory reason) internal {
        vm.prank(publisher);
        if (reason.length != 0) vm.expectRevert(reason);
        tariff.setPrices(zone, first, prices);
    }

    // --- Prices

    function test_setPrices_acrossWords_packsFromLeastSignificantEnd() public {
        uint32 first = FIRST / 8 * 8 + 14;
        uint32[] memory prices = _prices(11);
        vm.expectEmit(address(tariff));
        emit ITariff.PricesSet(zone, first, prices);
        _setPrices(first, prices, "");
        for (uint32 i = 0; i < 11; ++i) {
            assertEq(tariff.price(zone, first + i), 33_310 + i);
        }
        assertEq(tariff.price(zone, first - 1), 0);
        assertEq(tariff.price(zone, first + 11), 0);
        assertEq(tariff.priceWord(zone, first), uint256(33_310) << 192 | uint256(33_311) << 224);
        assertEq(tariff.priceWord(zone, first + 10), 33_320);
        assertEq(tariff.price(zone + 1, first), 0);
    }

    function testFuzz_setPrices_correction_leavesNeighboursAlone(uint32 offset, uint32 value) public {
        offset = uint32(bound(offset, 0, 15));
        value = uint32(bound(value, 0, Limits.MAX_PRICE_NANO - 1));
        _setPrices(FIRST, _prices(16), "");
        uint32[] memory one = new uint32[](1);
        one[0] = value;
        _setPrices(FIRST + offset, one, "");
        for (uint32 i = 0; i < 16; ++i) {
            assertEq(tariff.price(zone, FIRST + i), i == offset ? value : 33_310 + i);
        }
    }

    function test_setPrices_notPublisher_reverts() public {
        vm.prank(zoneOperator);
        vm.expectRevert(abi.encodeWithSelector(ITariff.NotPublisher.selector, zone, zoneOperator));
        tariff.setPrices(zone, FIRST, _prices(1));
        // An unknown zone's publisher is nobody.
        vm.prank(publisher);
        vm.expectRevert(abi.encodeWithSelector(ITariff.NotPublisher.selector, 9, publisher));
        tariff.setPrices(9, FIRST, _prices(1));
    }

    function test_setPrices_empty_reverts() public {
        _setPrices(FIRST, new uint32[](0), abi.encodeWithSelector(ITariff.NoPrices.selector));
    }

    function test_setPrices_frozenPeriod_reverts() public {
        _setPrices(FIRST - 1, _prices(1), abi.encodeWithSelector(ITariff.PeriodFrozen.selector, FIRST - 1));
        vm.warp(uint256(FIRST) * 900 - 1800);
        _setPrices(FIRST, _prices(1), "");
        skip(1);
        _setPrices(FIRST, _prices(1), abi.encodeWithSelector(ITariff.PeriodFrozen.selector, FIRST));
    }

    function test_setPrices_priceOutOfRange_reverts() public {
        uint32[] memory prices = _prices(3);
        prices[2] = uint32(Limits.MAX_PRICE_NANO);
        _setPrices(
            FIRST,
            prices,
            abi.encodeWithSelector(ITariff.PriceOutOfRange.selector, FIRST + 2, Limits.MAX_PRICE_NANO)
        );
        prices[2] -= 1;
        _setPrices(FIRST, prices, "");
    }

    function test_setPrices_beyondU32_reverts() public {
        _setPrices(
            type(uint32).max,
            _prices(2),
            abi.encodeWithSelector(ITariff.PeriodOutOfRange.selector, 2 ** 32 + 1)
        );
    }

    // --- Tariff versions

    function _setTariff(uint32 from, bytes memory table, bytes memory reason) internal {
        vm.prank(zoneOperator);
        if (reason.length != 0) vm.expectRevert(reason);
        tariff.setTariff(lane, from, table);
    }

    function test_setTariff_storesWordAndIncentive() public {
        bytes memory table = TestTariff.flat(500, 12_000);
        vm.expectEmit(address(tariff));
        emit ITariff.TariffSet(lane, 0, FIRST, table);
        _setTariff(FIRST, table, "");
        assertEq(tariff.versionCount(lane), 1);
        assertEq(tariff.versionWord(lane, 0), bytes32(uint256(keccak256(table)) >> 32 << 32 | FIRST));
        assertEq(tariff.versionWord(lane, 1), bytes32(0));
        assertEq(tariff.maxIncentiveBps(lane), 12_000);
        _setTariff(FIRST + 1, TestTariff.flat(500, 9000), "");
        assertEq(tariff.maxIncentiveBps(lane), 9000);
        assertEq(tariff.maxIncentiveBps(lane + 1), 0);
    }

    function test_setTariff_notZoneOperator_reverts() public {
        vm.prank(laneOwner);
        vm.expectRevert(abi.encodeWithSelector(ITariff.NotZoneOperator.selector, zone, laneOwner));
        tariff.setTariff(lane, FIRST, TestTariff.flat(0, 0));
    }

    function test_setTariff_unknownLane_reverts() public {
        vm.prank(zoneOperator);
        vm.expectRevert(abi.encodeWithSelector(IRollup.UnknownLane.selector, 9));
        tariff.setTariff(9, FIRST, TestTariff.flat(0, 0));
    }

    function test_setTariff_withoutNotice_reverts() public {
        _setTariff(
            FIRST - 1,
            TestTariff.flat(0, 0),
            abi.encodeWithSelector(ITariff.FromPeriodTooSoon.selector, FIRST - 1)
        );
    }

    function test_setTariff_notAfterLast_reverts() public {
        _setTariff(FIRST + 5, TestTariff.flat(0, 0), "");
        bytes memory reason =
            abi.encodeWithSelector(ITariff.FromPeriodNotAfterLast.selector, FIRST + 5, FIRST + 5);
        _setTariff(FIRST + 5, TestTariff.flat(0, 0), reason);
        _setTariff(FIRST + 6, TestTariff.flat(0, 0), "");
    }

    function test_setTariff_wrongLength_reverts() public {
        _setTariff(FIRST, new bytes(91), abi.encodeWithSelector(ITariff.WrongTariffLength.selector, 91));
        _setTariff(FIRST, new bytes(93), abi.encodeWithSelector(ITariff.WrongTariffLength.selector, 93));
    }

    function test_setTariff_toleranceOutOfRange_reverts() public {
        bytes memory reason = abi.encodeWithSelector(ITariff.ToleranceOutOfRange.selector, 16_384);
        _setTariff(FIRST, TestTariff.flat(16_384, 0), reason);
        _setTariff(FIRST, TestTariff.flat(16_383, 0), "");
    }

    function test_setTariff_thresholds_mustStartAtZeroAndNotFall() public {
        bytes memory reason = abi.encodeWithSelector(ITariff.ThresholdsNotRising.selector);
        // The least significant byte of each threshold of the three tables.
        uint8[16] memory low = [7, 11, 15, 19, 23, 27, 31, 35, 68, 69, 70, 71, 72, 73, 74, 75];
        for (uint256 i = 0; i < low.length; ++i) {
            bytes memory table = TestTariff.flat(0, 0);
            bool last = low[i] == 19 || low[i] == 35 || low[i] == 75;
            // One above its successor, or above zero for a first one; a last threshold has no successor.
            table[low[i]] = 0x01;
            _setTariff(FIRST + uint32(i), table, last ? bytes("") : reason);
        }
    }
}
