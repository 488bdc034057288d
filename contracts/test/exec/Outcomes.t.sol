// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ExecutionFixture} from "./ExecutionFixture.sol";
import {Plain} from "./ReferenceLane.sol";

/// Each outcome of docs/protocol.md §5 on both sides of its boundary; the verifier's root is held to the reference's each time.
contract OutcomesTest is ExecutionFixture {
    function test_good_settles() public {
        _assertOutcome(_good(), 0);
        assertGt(lane.spent(), 0);
        assertEq(lane.count(), 1);
        assertEq(lane.position(), 1);
    }

    function test_empty_doesNothing() public {
        bytes31 before = lane.stateRoot();
        Plain memory r;
        _assertOutcome(r, 12);
        assertEq(bytes32(lane.stateRoot()), bytes32(before));
    }

    function test_unknownEvse_rangeEmptyAndTimes() public {
        Plain memory r = _good();
        r.evse = 1 << 20;
        _assertOutcome(r, 1);
        r.evse = type(uint32).max;
        _assertOutcome(r, 1);
        r.evse = 2;
        _assertOutcome(r, 1);
        // Active only after asOf.
        r.evse = 9;
        _assertOutcome(r, 1);
        // Active from the first second of PERIOD − 3.
        r.evse = 6;
        r.start = (PERIOD - 3) * 60 - 1;
        r.intervals = 1;
        r.energyWh = 100;
        _assertOutcome(r, 1);
        r.start++;
        _assertOutcome(r, 0);
        // Ends with PERIOD − 3.
        r = _good();
        r.evse = 7;
        r.start = (PERIOD - 2) * 60 - 25;
        _assertOutcome(r, 0);
        r.start = (PERIOD - 2) * 60;
        r.meterEndWh = 5000;
        _assertOutcome(r, 1);
        r.start = type(uint32).max;
        _assertOutcome(r, 1);
    }

    function test_badSignature() public {
        Plain memory r = _good();
        r.signatureValid = false;
        _assertOutcome(r, 2);
        r.start++;
        _assertOutcome(r, 2);
        r.signatureValid = true;
        _assertOutcome(r, 0);
    }

    function test_malformed() public {
        Plain memory r = _good();
        r.intervals = 0;
        _assertOutcome(r, 3);
        r.intervals = 61;
        _assertOutcome(r, 3);
        r = _good();
        r.energyWh = 0;
        _assertOutcome(r, 3);
        r.energyWh = 1 << 20;
        _assertOutcome(r, 3);
        r = _good();
        r.start = PERIOD * 60 - 1;
        r.intervals = 2;
        _assertOutcome(r, 3);
        r = _good();
        r.socDrop = 10_001;
        _assertOutcome(r, 3);
        // AS_OF is 7 s into the interval after PERIOD.
        r = _good();
        r.start = (PERIOD + 1) * 60;
        r.intervals = 1;
        _assertOutcome(r, 3);
        r.start = PERIOD * 60;
        r.intervals = 60;
        _assertOutcome(r, 0);
    }

    function test_largestEnergy_settlesOrFailsLater() public {
        Plain memory r = _good();
        r.evse = 1_048_575;
        r.contractSlot = 3;
        r.energyWh = (1 << 20) - 1;
        r.meterEndWh = type(uint40).max;
        r.socDrop = 10_000;
        r.intervals = 25;
        _fund(1, AS_OF, type(uint96).max);
        _assertOutcome(r, 0);
    }

    function test_overlap() public {
        Plain memory r = _good();
        _assertOutcome(r, 0);
        r.meterEndWh = 9000;
        _assertOutcome(r, 4);
        r.start += 24;
        _assertOutcome(r, 4);
        r.start += 1;
        _assertOutcome(r, 0);
    }

    function test_meterRegression() public {
        Plain memory r = _good();
        r.meterEndWh = 999;
        _assertOutcome(r, 5);
        r.meterEndWh = 1000;
        _assertOutcome(r, 0);
        r.start += 25;
        r.meterEndWh = 1999;
        _assertOutcome(r, 5);
        r.meterEndWh = 0;
        _assertOutcome(r, 5);
        r.meterEndWh = 2000;
        _assertOutcome(r, 0);
    }

    function test_powerExceeded() public {
        // 11 kW × 1.02 × 25 intervals = 1168.75 Wh
        Plain memory r = _good();
        r.meterEndWh = 5000;
        r.energyWh = 1169;
        _assertOutcome(r, 6);
        r.energyWh = 1168;
        _assertOutcome(r, 0);
    }

    function test_unknownContract() public {
        Plain memory r = _good();
        r.contractSlot = 1 << 20;
        _assertOutcome(r, 7);
        r.contractSlot = type(uint32).max;
        _assertOutcome(r, 7);
        r.contractSlot = 2;
        _assertOutcome(r, 7);
        r.contractSlot = 700_000;
        _assertOutcome(r, 7);
        r.contractSlot = 4;
        r.start = (PERIOD - 3) * 60 - 25;
        _assertOutcome(r, 7);
        r.start = (PERIOD - 3) * 60;
        _assertOutcome(r, 0);
    }

    function test_socInconsistent() public {
        // v0: 1000 Wh of 60 kWh at + 5 % needs 158.7 steps of 0.01 %.
        Plain memory r = _good();
        r.start = (PERIOD - 8) * 60;
        r.socDrop = 158;
        _assertOutcome(r, 8);
        r.socDrop = 159;
        _assertOutcome(r, 0);
    }

    function test_noTariff_toleranceZeroThenNoEvent() public {
        Plain memory r = _good();
        r.start = (PERIOD - 21) * 60;
        r.socDrop = 166;
        _assertOutcome(r, 8);
        r.socDrop = 167;
        _assertOutcome(r, 9);
    }

    function test_noEvent() public {
        Plain memory r = _good();
        r.start = (PERIOD - 4) * 60;
        assertEq(lane.priceNano(PERIOD - 4), 0);
        _assertOutcome(r, 9);
        r.start = (PERIOD - 3) * 60;
        _assertOutcome(r, 0);
    }

    function test_thermalLimit() public {
        Plain memory r = _good();
        r.tempC = 151;
        _assertOutcome(r, 10);
        r.tempC = 255;
        _assertOutcome(r, 10);
        r.tempC = 150;
        _assertOutcome(r, 10);
        r.tempC = 149;
        _assertOutcome(r, 0);
    }

    function test_budget_toTheLastMicro() public {
        Plain memory r = _good();
        _assertOutcome(r, 0);
        uint96 amount = lane.spent();
        r.start += 25;
        r.meterEndWh = 2000;
        _fund(1, AS_OF, 2 * amount);
        // The session has grown past 8 intervals either way, so the second amount is the first's.
        _assertOutcome(r, 0);
        assertEq(lane.spent(), 2 * amount);
        r.evse = 1;
        r.start -= 25;
        _fund(1, AS_OF, 3 * amount - 1);
        _assertOutcome(r, 11);
        _fund(1, AS_OF, 3 * amount);
        _assertOutcome(r, 0);
    }

    function test_session_growsWhileTouching_andRestartsWithContractOrGap() public {
        uint32[5] memory expected =
            [PERIOD * 60, PERIOD * 60, PERIOD * 60 + 10, PERIOD * 60 + 16, PERIOD * 60 + 21];
        Plain memory r = _good();
        r.intervals = 5;
        r.energyWh = 100;
        for (uint256 i = 0; i < 5; i++) {
            r.start = PERIOD * 60 + uint32(i) * 5 + (i >= 3 ? 1 : 0);
            r.contractSlot = i == 2 || i == 3 ? 3 : i == 4 ? 4 : 0;
            r.meterEndWh = uint40(1000 + i * 100);
            _assertOutcome(r, 0);
            (, uint32 sessionStart,,,) = lane.evseState(0);
            assertEq(sessionStart, expected[i]);
        }
    }

    /// A slot that two records of one chunk name carries the first's effect into the second.
    function test_oneChunk_recordsSeeEachOther() public {
        Plain memory first = _good();
        Plain memory second = _good();
        second.start += 25;
        second.meterEndWh = 2000;
        uint256[] memory outcomes = _run(_two(first, second));
        assertEq(outcomes[0], 0);
        assertEq(outcomes[1], 0);
        outcomes = _run(_two(first, second));
        assertEq(outcomes[0], 4);
        assertEq(outcomes[1], 4);
    }
}
