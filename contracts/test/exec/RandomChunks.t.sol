// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {RandomRecords} from "./RandomRecords.sol";

/// Random chunks against the reference.
contract RandomChunksTest is RandomRecords {
    /// forge-config: default.fuzz.runs = 48
    function testFuzz_execute_equalsReference(uint256 seed) public {
        _run(_random(seed, 22));
    }

    function test_execute_randomChunks_meetEveryOutcome() public {
        uint256 seen;
        uint256 snapshot;
        for (uint256 seed = 0; seed < 24; seed++) {
            // Chunks come in threes, so that later ones overlap earlier ones, and then the lane begins anew.
            if (seed % 3 == 0) snapshot = vm.snapshotState();
            if (seed == 3) _fund(1, AS_OF, 1_000_000);
            uint256[] memory outcomes = _run(_random(seed, 22));
            for (uint256 i = 0; i < outcomes.length; i++) {
                seen |= 2 ** outcomes[i];
            }
            if (seed % 3 == 2) vm.revertToState(snapshot);
        }
        assertEq(seen, (1 << 13) - 1, "outcomes met");
    }
}
