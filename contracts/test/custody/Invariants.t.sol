// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {LaneInfo} from "../../src/interfaces/IRollup.sol";
import {Claim} from "../../src/interfaces/IVault.sol";
import {Header} from "../../src/protocol/Header.sol";
import {Limits} from "../../src/protocol/Limits.sol";
import {Crediting} from "./Crediting.sol";
import {TestTree} from "./TestTree.sol";

/// @notice Does random things to two lanes: `lane` honours its funding as settlement would, `other` is posted to and proven
/// false at random. Every action is one that somebody could take.
contract CustodyHandler is Crediting {
    uint32 public other;
    uint256[] internal credits;
    /// Batches that were final when seen; must stay so.
    Header[] internal finals;
    mapping(uint256 index => uint256[]) internal creditsOf;
    address[] internal bonders;
    uint256 public ghostWithdrawn;
    uint256 public ghostRefunded;
    bool public laneTouched;

    constructor() {
        setUp();
        _enrolDrivers(2);
        credits = [uint256(0), 0];
        other = _openLane();
        bonders.push(operator);
        bonders.push(stranger);
        _pass(60);
        _bond(operator, 90 ether);
        _fund(lane, 1_000_000);
    }

    // --- Actions

    function pass(uint256 seconds_) external {
        _pass(bound(seconds_, 12, 4 * DAY));
    }

    function fund(uint256 amount) external {
        _fund(lane, bound(amount, 1, 1_000_000));
    }

    /// Credits grow by what settlement would allow: spent stays within what is funded at asOf.
    function postHonest(uint256 slot, uint256 amount) external {
        if (!_canPost()) return;
        uint256 spent = _sum(credits);
        uint256 funded = vault.fundedAt(lane, uint32(_now() - 1));
        if (funded > spent) credits[slot % 2] += bound(amount, 0, funded - spent);
        Header memory header = _postCredits(credits);
        creditsOf[header.index] = credits;
        _pass(12);
    }

    function postOther(bytes31 root) external {
        if (!_canPost()) return;
        _postRoot(other, root);
        _pass(12);
    }

    function proveOther(uint256 depth) external {
        uint256 count = headers[other].length;
        if (count < 2) return;
        uint256 index = count - 1 - bound(depth, 0, count - 2 < 3 ? count - 2 : 3);
        Header memory bad = headers[other][index];
        if (rollup.isFinal(bad) || _now() + 30 >= rollup.requireLive(bad) + Limits.WINDOW_SECONDS) return;
        bytes32 before = _laneDigest();
        _prove(bad, headers[other][index - 1]);
        if (_laneDigest() != before) laneTouched = true;
    }

    function withdraw(uint256 pick, uint256 slot) external {
        Header[] storage all = headers[lane];
        if (all.length < 2) return;
        Header memory header = all[bound(pick, 1, all.length - 1)];
        if (!rollup.isFinal(header)) return;
        uint256[] memory credited_ = creditsOf[header.index];
        Claim[] memory claims = new Claim[](2);
        (claims[0], claims[1]) = (_claim(credited_, uint32(slot % 2)), _claim(credited_, uint32(slot % 2)));
        ghostWithdrawn += vault.withdrawMany(header, _parts(credited_), claims);
    }

    function notice(uint256 amount) external {
        uint256 funded = vault.lifetimeFunding(lane) - vault.refundsPaid(lane) - vault.pendingRefunds(lane);
        if (funded == 0) return;
        vm.prank(zoneOperator);
        vault.noticeRefund(lane, bound(amount, 1, funded));
    }

    function refund(uint256 pick, uint32 notice_) external {
        Header[] storage all = headers[lane];
        if (all.length < 2) return;
        Header memory header = all[bound(pick, 1, all.length - 1)];
        uint256[] memory credited_ = creditsOf[header.index];
        bytes32 contractRoot = TestTree.root(_leaves(credited_));
        bytes32 leaf = _laneLeaf(_sum(credited_));
        uint256 before = token.balanceOf(zoneOperator);
        vm.prank(zoneOperator);
        vault.claimRefund(header, notice_ % 6, EVSE_ROOT, contractRoot, leaf);
        ghostRefunded += token.balanceOf(zoneOperator) - before;
    }

    function seeFinal(uint256 pick) external {
        Header[] storage all = pick % 2 == 0 ? headers[lane] : headers[other];
        Header memory header = all[pick % all.length];
        if (rollup.isFinal(header)) finals.push(header);
    }

    function bond(uint256 amount) external {
        _bond(stranger, bound(amount, 1, 20 ether));
    }

    function exitBond() external {
        vm.startPrank(stranger);
        (uint256 amount, uint64 releaseAt) = rollup.bondOf(stranger);
        if (amount == 0) {
            vm.stopPrank();
            return;
        }
        if (releaseAt == 0) rollup.announceBondExit();
        else if (_now() >= releaseAt) rollup.withdrawBond(payable(stranger));
        else rollup.cancelBondExit();
        vm.stopPrank();
    }

    // --- Observations

    function _canPost() internal view returns (bool) {
        (uint256 amount,) = rollup.bondOf(operator);
        return amount >= Limits.MIN_BOND_WEI;
    }

    function _laneDigest() internal view returns (bytes32) {
        LaneInfo memory info = rollup.lane(lane);
        return keccak256(abi.encode(info, rollup.isLive(_tip(lane))));
    }

    function finalsStillFinal() external view returns (bool) {
        for (uint256 i = 0; i < finals.length; ++i) {
            if (!rollup.isFinal(finals[i])) return false;
        }
        return true;
    }

    function sumOfBonds() external view returns (uint256 sum) {
        for (uint256 i = 0; i < bonders.length; ++i) {
            (uint256 amount,) = rollup.bondOf(bonders[i]);
            sum += amount;
        }
    }

    function rollupBalance() external view returns (uint256) {
        return address(rollup).balance;
    }

    function vaultBalance() external view returns (uint256) {
        return token.balanceOf(address(vault));
    }

    function books()
        external
        view
        returns (uint256 lifetime, uint256 paidOut, uint256 refunds, uint256 spent)
    {
        return (vault.lifetimeFunding(lane), vault.paidOut(lane), vault.refundsPaid(lane), _sum(credits));
    }

    function ownersBalances() external view returns (uint256 sum, uint256 credited) {
        for (uint256 i = 0; i < owners.length; ++i) {
            if (token.balanceOf(owners[i]) > credits[i]) {
                revert AssertionFailed("an owner got more than credited");
            }
        }
        return (token.balanceOf(owners[0]) + token.balanceOf(owners[1]), _sum(credits));
    }
}

/// forge-config: default.invariant.runs = 24
/// forge-config: default.invariant.depth = 96
contract CustodyInvariantTest is Crediting {
    CustodyHandler internal handler;

    function setUp() public override {
        handler = new CustodyHandler();
        targetContract(address(handler));
        bytes4[] memory selectors = new bytes4[](11);
        selectors[0] = handler.pass.selector;
        selectors[1] = handler.fund.selector;
        selectors[2] = handler.postHonest.selector;
        selectors[3] = handler.postOther.selector;
        selectors[4] = handler.proveOther.selector;
        selectors[5] = handler.withdraw.selector;
        selectors[6] = handler.notice.selector;
        selectors[7] = handler.refund.selector;
        selectors[8] = handler.seeFinal.selector;
        selectors[9] = handler.bond.selector;
        selectors[10] = handler.exitBond.selector;
        targetSelector(FuzzSelector(address(handler), selectors));
    }

    /// What is paid and what is still owed never exceeds what was funded, and the vault holds the difference.
    function invariant_laneIsSolvent() public view {
        (uint256 lifetime, uint256 paidOut, uint256 refunds, uint256 spent) = handler.books();
        assertLe(paidOut + refunds, lifetime, "paid more than funded");
        assertLe(spent + refunds, lifetime, "owes more than funded");
        assertEq(handler.vaultBalance(), lifetime - paidOut - refunds, "vault's balance");
    }

    function invariant_noWithdrawalPaysTwice() public view {
        (uint256 sum, uint256 credited) = handler.ownersBalances();
        assertLe(sum, credited);
        assertEq(sum, handler.ghostWithdrawn());
    }

    function invariant_refundsAreWhatWasPaid() public view {
        (,, uint256 refunds,) = handler.books();
        assertEq(refunds, handler.ghostRefunded());
    }

    function invariant_finalNeverChanges() public view {
        assertTrue(handler.finalsStillFinal());
    }

    function invariant_rollbackNeverTouchesAnotherLane() public view {
        assertFalse(handler.laneTouched());
    }

    function invariant_bondsAreTheBalance() public view {
        assertEq(handler.sumOfBonds(), handler.rollupBalance());
    }
}
