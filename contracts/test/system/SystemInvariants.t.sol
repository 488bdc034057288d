// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Test} from "../base/Test.sol";
import {SystemHandler} from "./SystemHandler.sol";

/// forge-config: default.invariant.runs = 12
/// forge-config: default.invariant.depth = 120
contract SystemInvariantTest is Test {
    SystemHandler internal handler;

    function setUp() public {
        handler = new SystemHandler();
        targetContract(address(handler));
        bytes4[] memory selectors = new bytes4[](26);
        selectors[0] = handler.pass.selector;
        selectors[1] = handler.fund.selector;
        selectors[2] = handler.notice.selector;
        selectors[3] = handler.refund.selector;
        selectors[4] = handler.post.selector;
        selectors[5] = handler.postForeign.selector;
        selectors[6] = handler.force.selector;
        selectors[7] = handler.prove.selector;
        selectors[8] = handler.seeFinal.selector;
        selectors[9] = handler.bond.selector;
        selectors[10] = handler.withdraw.selector;
        selectors[11] = handler.withdrawFast.selector;
        selectors[12] = handler.attest.selector;
        selectors[13] = handler.comeAndGo.selector;
        selectors[14] = handler.slash.selector;
        selectors[15] = handler.settle.selector;
        selectors[16] = handler.exhibit.selector;
        selectors[17] = handler.dispute.selector;
        selectors[18] = handler.plug.selector;
        selectors[19] = handler.resolve.selector;
        selectors[20] = handler.equivocate.selector;
        selectors[21] = handler.endAndRelease.selector;
        selectors[22] = handler.breakPromise.selector;
        selectors[23] = handler.trespass.selector;
        // The two that everything else hangs on come more often.
        selectors[24] = handler.post.selector;
        selectors[25] = handler.pass.selector;
        targetSelector(FuzzSelector(address(handler), selectors));
    }

    /// What was paid, less what attesters gave back, never passes what was funded; the vault holds just the rest of both lanes.
    function invariant_vaultHoldsWhatIsNotPaid() public view {
        (uint256 inVault,,,,) = handler.balances();
        (uint256 lifetime, uint256 paidOut, uint256 refunds) = handler.books(0);
        (uint256 others, uint256 othersPaid, uint256 othersRefunds) = handler.books(handler.other());
        assertLe(paidOut + refunds, lifetime, "paid more than funded");
        assertEq(othersPaid + othersRefunds, 0, "an uninvolved lane paid");
        assertEq(others, 7_000_000, "an uninvolved lane's funds");
        assertEq(inVault, lifetime - paidOut - refunds + others, "vault's balance");
        assertEq(paidOut, handler.ghostPaid(), "paid");
        assertEq(refunds, handler.ghostRefunded(), "refunded");
    }

    function invariant_ownersHoldWhatTheVaultSaysItPaid() public view {
        assertFalse(handler.overpaid());
    }

    function invariant_eachContractHoldsWhatItOwes() public view {
        (, uint256 inAttesters, uint256 inRegistry, uint256 inCourt, uint256 inRollup) = handler.balances();
        assertEq(inAttesters, handler.stakes(), "stakes and reserve");
        assertEq(inRegistry, handler.deposits(), "deposits");
        assertEq(inCourt, handler.courtOwes(), "bonds of disputes");
        assertEq(inRollup, handler.bonds(), "bonds");
    }

    function invariant_finalNeverChanges() public view {
        assertTrue(handler.finalsStillFinal());
    }

    function invariant_forcedPointerStaysInTheQueue() public view {
        (uint64 pointer, uint64 length) = handler.forcedBooks();
        assertLe(pointer, length);
    }

    function invariant_nobodyDoesWhatIsNotTheirs() public view {
        assertEq(handler.ghostTrespasses(), 0);
    }
}
