// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IRollup} from "../interfaces/IRollup.sol";
import {Limits} from "../protocol/Limits.sol";

/// @notice Bonds in ether. They belong to submitters, not lanes (docs/protocol.md §8).
abstract contract Bonds is IRollup {
    struct Bond {
        uint128 amount;
        /// Zero unless an exit is announced.
        uint64 releaseAt;
    }

    /// Half of every slash goes here, or a sequencer could challenge itself for free.
    address internal constant BURN = 0x000000000000000000000000000000000000dEaD;

    mapping(address submitter => Bond) private _bonds;

    function depositBond() external payable {
        Bond storage bond = _bonds[msg.sender];
        bond.amount += uint128(msg.value);
        emit BondDeposited(msg.sender, msg.value, bond.amount);
    }

    function announceBondExit() external {
        Bond storage bond = _bonds[msg.sender];
        if (bond.amount == 0) revert NoBond(msg.sender);
        if (bond.releaseAt != 0) revert BondExiting(msg.sender);
        bond.releaseAt = uint64(block.timestamp + Limits.BOND_EXIT_SECONDS);
        emit BondExitAnnounced(msg.sender, bond.releaseAt);
    }

    function cancelBondExit() external {
        Bond storage bond = _bonds[msg.sender];
        if (bond.releaseAt == 0) revert NoBondExit(msg.sender);
        bond.releaseAt = 0;
        emit BondExitCancelled(msg.sender);
    }

    function bondOf(address submitter) external view returns (uint256 amount, uint64 releaseAt) {
        Bond memory bond = _bonds[submitter];
        return (bond.amount, bond.releaseAt);
    }

    function _requireBonded(address submitter) internal view {
        Bond memory bond = _bonds[submitter];
        if (bond.amount < Limits.MIN_BOND_WEI) {
            revert BondTooLow(submitter, bond.amount, Limits.MIN_BOND_WEI);
        }
        if (bond.releaseAt != 0) revert BondExiting(submitter);
    }

    function _isBonded(address submitter) internal view returns (bool) {
        Bond memory bond = _bonds[submitter];
        return bond.amount >= Limits.MIN_BOND_WEI && bond.releaseAt == 0;
    }

    function _withdrawBond(address payable to) internal {
        Bond memory bond = _bonds[msg.sender];
        if (bond.releaseAt == 0) revert NoBondExit(msg.sender);
        if (block.timestamp < bond.releaseAt) revert BondLocked(bond.releaseAt);
        delete _bonds[msg.sender];
        emit BondWithdrawn(msg.sender, bond.amount);
        _pay(to, bond.amount);
    }

    function _slashBonded(address submitter, address prover) internal returns (uint256) {
        if (_bonds[submitter].amount == 0) revert NoBond(submitter);
        return _slash(submitter, prover);
    }

    /// @notice Takes a slash, or what is left of the bond: half to the prover, half burned.
    function _slash(address submitter, address prover) internal returns (uint256 reward) {
        Bond storage bond = _bonds[submitter];
        uint256 slashed = bond.amount < Limits.SLASH_WEI ? bond.amount : Limits.SLASH_WEI;
        bond.amount -= uint128(slashed);
        reward = slashed / 2;
        emit BondSlashed(submitter, slashed, reward, slashed - reward);
        _pay(BURN, slashed - reward);
        _pay(prover, reward);
    }

    function _pay(address to, uint256 amount) private {
        if (amount == 0) return;
        (bool paid,) = to.call{value: amount}("");
        if (!paid) revert PaymentFailed(to, amount);
    }
}
