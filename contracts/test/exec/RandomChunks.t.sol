// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ExecutionFixture} from "./ExecutionFixture.sol";
import {Plain} from "./ReferenceLane.sol";

/// Random chunks against the reference.
contract RandomChunksTest is ExecutionFixture {
    /// forge-config: default.fuzz.runs = 48
    function testFuzz_execute_equalsReference(uint256 seed) public {
        _run(_random(seed));
    }

    function test_execute_randomChunks_meetEveryOutcome() public {
        uint256 seen;
        uint256 snapshot;
        for (uint256 seed = 0; seed < 24; seed++) {
            // Chunks come in threes, so that later ones overlap earlier ones, and then the lane begins anew.
            if (seed % 3 == 0) snapshot = vm.snapshotState();
            if (seed == 3) _fund(1, AS_OF, 1_000_000);
            uint256[] memory outcomes = _run(_random(seed));
            for (uint256 i = 0; i < outcomes.length; i++) {
                seen |= 2 ** outcomes[i];
            }
            if (seed % 3 == 2) vm.revertToState(snapshot);
        }
        assertEq(seen, (1 << 13) - 1, "outcomes met");
    }

    function _random(uint256 seed) internal view returns (Plain[] memory records) {
        records = new Plain[](22);
        uint32 start = (PERIOD - 24) * 60 + uint32(seed % 1200);
        for (uint256 i = 0; i < 22; i++) {
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
