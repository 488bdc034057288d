// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ExecutionFixture} from "./ExecutionFixture.sol";
import {Plain} from "./ReferenceLane.sol";

/// @notice Records that come to every outcome there is, most of them good.
abstract contract RandomRecords is ExecutionFixture {
    function _random(uint256 seed, uint256 count) internal view returns (Plain[] memory records) {
        records = new Plain[](count);
        uint32 start = (PERIOD - 24) * 60 + uint32(seed % 1200);
        for (uint256 i = 0; i < count; i++) {
            uint256 dice = uint256(keccak256(abi.encode(seed, i)));
            if (dice % 16 == 0) continue;
            Plain memory r = records[i];
            r.intervals = uint8(1 + (dice >> 8) % 20);
            start += dice >> 16 & 1 == 0 ? 0 : uint32((dice >> 24) % 120);
            if (start % 60 + r.intervals > 60) start = start / 60 * 60 + 60;
            r.start = start;
            r.evse = evses[(dice >> 32) % evses.length].slot;
            r.contractSlot = contracts[(dice >> 40) % contracts.length].slot;
            r.energyWh = uint24(1 + (dice >> 48) % (uint256(r.intervals) * 45));
            r.meterEndWh = uint40(100_000 + (start - (PERIOD - 40) * 60) * 60);
            r.socDrop = uint16((dice >> 72) % 4 == 0 ? (dice >> 80) % 60 : 300);
            r.tempC = uint8((dice >> 96) % 4 == 0 ? (dice >> 104) : (dice >> 112) % 60);
            r.signatureValid = (dice >> 120) % 12 != 0;
            if ((dice >> 128) % 8 != 0) {
                if ((dice >> 136) % 3 != 0) start += r.intervals;
                continue;
            }
            uint256 fault = (dice >> 144) % 18;
            if (fault == 0) r.evse = uint32(dice >> 160);
            if (fault == 1) r.contractSlot = uint32(dice >> 160);
            if (fault == 2) r.start = uint32(dice >> 160);
            if (fault == 3) r.intervals = uint8(dice >> 160);
            if (fault == 4) r.energyWh = uint24(dice >> 160);
            if (fault == 5) r.meterEndWh = uint40((dice >> 160) % 90_000);
            if (fault == 6) r.socDrop = uint16(dice >> 160);
            if (fault == 7) r.start = r.start / 60 * 60 + 60 - r.intervals / 2;
            if (fault > 7 && fault < 13) r.start -= 60;
            if (fault > 12) r.energyWh = uint24(r.intervals) * 120;
        }
    }
}
