// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IVault} from "../interfaces/IVault.sol";
import {Limits} from "../protocol/Limits.sol";

/// @notice What each lane was given, has promised back and has paid (docs/protocol.md §9), with the checkpoints that
/// settlement reads. Moves no tokens. At any time `funded = lifetime − refundsPaid − pendingRefunds`.
abstract contract Funding is IVault {
    struct Book {
        uint96 lifetime;
        uint96 refundsPaid;
        uint32 checkpointCount;
        uint32 noticeCount;
        // Second word.
        uint96 pendingRefunds;
        uint96 paidOut;
        mapping(uint32 index => bytes32) checkpoints;
        mapping(uint32 notice => Notice) notices;
    }

    struct Notice {
        /// Zero once settled.
        uint96 amount;
        uint32 effectiveFrom;
    }

    mapping(uint32 lane => Book) private _books;

    // --- Views

    function checkpointCount(uint32 lane) external view returns (uint32) {
        return _books[lane].checkpointCount;
    }

    function checkpoint(uint32 lane, uint32 index) external view returns (bytes32) {
        return _books[lane].checkpoints[index];
    }

    function fundedAt(uint32 lane, uint32 asOf) external view returns (uint256) {
        Book storage book = _books[lane];
        (uint32 low, uint32 high) = (0, book.checkpointCount);
        // Checkpoints below `low` are in force at asOf, those from `high` on aren't.
        while (low < high) {
            uint32 middle = low + (high - low) / 2;
            if (_effectiveFrom(book.checkpoints[middle]) <= asOf) low = middle + 1;
            else high = middle;
        }
        return low == 0 ? 0 : uint96(uint256(book.checkpoints[low - 1]) >> 128);
    }

    function lifetimeFunding(uint32 lane) external view returns (uint256) {
        return _books[lane].lifetime;
    }

    function refundsPaid(uint32 lane) external view returns (uint256) {
        return _books[lane].refundsPaid;
    }

    function pendingRefunds(uint32 lane) external view returns (uint256) {
        return _books[lane].pendingRefunds;
    }

    function paidOut(uint32 lane) external view returns (uint256) {
        return _books[lane].paidOut;
    }

    function refundNotice(uint32 lane, uint32 notice)
        external
        view
        returns (uint256 amount, uint32 effectiveFrom)
    {
        if (notice >= _books[lane].noticeCount) revert UnknownNotice(notice);
        Notice memory found = _books[lane].notices[notice];
        return (found.amount, found.effectiveFrom);
    }

    // --- Changes

    function _addFunding(uint32 lane, uint256 amount) internal {
        if (amount == 0) revert ZeroAmount();
        Book storage book = _books[lane];
        if (amount > type(uint96).max - book.lifetime) revert FundingOverflow(amount);
        book.lifetime += uint96(amount);
        emit Funded(lane, msg.sender, amount, book.lifetime);
        _checkpoint(lane, book);
    }

    function _addNotice(uint32 lane, uint256 amount) internal returns (uint32 notice) {
        if (amount == 0) revert ZeroAmount();
        Book storage book = _books[lane];
        uint256 funded = _funded(book);
        if (amount > funded) revert RefundTooLarge(amount, funded);
        notice = book.noticeCount++;
        uint32 effectiveFrom = _effectiveNow();
        book.notices[notice] = Notice(uint96(amount), effectiveFrom);
        book.pendingRefunds += uint96(amount);
        emit RefundNoticed(lane, notice, amount, effectiveFrom);
        _checkpoint(lane, book);
    }

    function _openNotice(uint32 lane, uint32 notice) internal view returns (Notice memory open) {
        if (notice >= _books[lane].noticeCount) revert UnknownNotice(notice);
        open = _books[lane].notices[notice];
        if (open.amount == 0) revert NoticeSettled(notice);
    }

    /// @notice Settles a notice against a state that spent `spent` and has seen the notice. What other notices hold is
    /// left to them: such a state may be older than theirs, and the lane may have spent since what they don't hold.
    function _settleNotice(uint32 lane, uint32 notice, uint256 spent, address to)
        internal
        returns (uint256 paid)
    {
        Book storage book = _books[lane];
        uint256 amount = _openNotice(lane, notice).amount;
        uint256 taken = spent + book.refundsPaid + (book.pendingRefunds - amount);
        uint256 free = book.lifetime > taken ? book.lifetime - taken : 0;
        paid = amount < free ? amount : free;

        book.notices[notice].amount = 0;
        book.pendingRefunds -= uint96(amount);
        book.refundsPaid += uint96(paid);
        _requireSolvent(lane, book, paid);
        emit RefundPaid(lane, notice, to, paid, amount - paid);
        if (paid != amount) _checkpoint(lane, book);
    }

    function _takeForWithdrawal(uint32 lane, uint256 amount) internal {
        uint256 available = _escrow(lane);
        if (amount > available) revert LaneInsolvent(lane, amount, available);
        _books[lane].paidOut += uint96(amount);
    }

    /// @notice Takes back payments that false states made: the lane can pay as much again.
    function _refill(uint32 lane, uint256 amount) internal {
        Book storage book = _books[lane];
        book.paidOut -= uint96(amount);
        emit Refilled(lane, amount, book.paidOut);
    }

    /// @notice What the lane holds, micro.
    function _escrow(uint32 lane) internal view returns (uint256) {
        Book storage book = _books[lane];
        return uint256(book.lifetime) - book.refundsPaid - book.paidOut;
    }

    // --- Inner workings

    function _requireSolvent(uint32 lane, Book storage book, uint256 paid) private view {
        uint256 out = uint256(book.refundsPaid) + book.paidOut;
        if (out > book.lifetime) revert LaneInsolvent(lane, paid, book.lifetime + paid - out);
    }

    function _funded(Book storage book) private view returns (uint96) {
        return book.lifetime - book.refundsPaid - book.pendingRefunds;
    }

    function _checkpoint(uint32 lane, Book storage book) private {
        uint32 effectiveFrom = _effectiveNow();
        uint96 funded = _funded(book);
        uint32 index = book.checkpointCount;
        if (index != 0 && _effectiveFrom(book.checkpoints[index - 1]) == effectiveFrom) --index;
        else book.checkpointCount = index + 1;
        book.checkpoints[index] = bytes32(uint256(effectiveFrom) << 224 | uint256(funded) << 128);
        emit CheckpointAdded(lane, index, effectiveFrom, funded);
    }

    function _effectiveNow() private view returns (uint32) {
        return uint32(block.timestamp + Limits.NOTICE_SECONDS);
    }

    function _effectiveFrom(bytes32 word) private pure returns (uint32) {
        return uint32(uint256(word) >> 224);
    }
}
