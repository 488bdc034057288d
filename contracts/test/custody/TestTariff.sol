// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

library TestTariff {
    /// @notice 92 bytes whose thresholds are all zero and whose rows are all 100 %.
    function flat(uint16 toleranceBps, uint16 maxIncentiveBps) internal pure returns (bytes memory table) {
        table = abi.encodePacked(toleranceBps, maxIncentiveBps, new bytes(32));
        for (uint256 i = 0; i < 16; ++i) {
            table = abi.encodePacked(table, uint16(10_000));
        }
        table = abi.encodePacked(table, new bytes(8));
        for (uint256 i = 0; i < 8; ++i) {
            table = abi.encodePacked(table, uint16(10_000));
        }
    }
}
