// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Heap} from "@openzeppelin/contracts/utils/structs/Heap.sol";

import {Claim, Exhibit, ICourt} from "../interfaces/ICourt.sol";
import {IRollup} from "../interfaces/IRollup.sol";
import {IVault} from "../interfaces/IVault.sol";

/// @notice Exhibits, the claims against them, and what these hold: while any is open, a contract's withdrawals stop at the batch
/// before the earliest of them.
abstract contract Docket is ICourt {
    using Heap for Heap.Uint256Heap;

    /// Closed claims that one call clears away. There is no limit to how many are open: with one, somebody could fill the list of
    /// a contract with small claims to keep a large one out.
    uint256 private constant MAX_RELEASED = 16;
    /// A heap's value is batch index ‖ claim, so that the smallest is the earliest batch.
    uint256 private constant CLAIM_BITS = 192;

    IVault public immutable vault;
    uint256 public claimCount;
    mapping(bytes32 id => Exhibit) internal _exhibits;
    mapping(uint256 id => Claim) internal _claims;
    /// Closed claims stay in it until they are the smallest.
    mapping(uint32 lane => mapping(uint32 contractSlot => Heap.Uint256Heap)) private _holds;

    constructor(IVault vault_) {
        vault = vault_;
    }

    function exhibitOf(bytes32 id) external view returns (Exhibit memory) {
        return _exhibits[id];
    }

    function claimOf(uint256 id) external view returns (Claim memory) {
        return _claims[id];
    }

    function releaseHold(uint32 lane, uint32 contractSlot) external {
        _release(lane, contractSlot);
    }

    // --- Exhibits

    function _known(bytes32 id) internal view returns (Exhibit storage found) {
        found = _exhibits[id];
        if (found.finalAt == 0) revert UnknownExhibit(id);
    }

    function _standing(IRollup rollup, bytes32 id) internal view returns (Exhibit storage found) {
        found = _known(id);
        if (_fell(rollup, found)) revert BatchFell(id);
    }

    /// Nothing falls after its window, so from `finalAt` on this is the last word.
    function _fell(IRollup rollup, Exhibit storage record) internal view returns (bool) {
        return rollup.fellSince(record.lane, record.index, record.falls);
    }

    /// @notice Takes `amount` of the record's credit, or what earlier claims have left of it.
    function _clawBack(Exhibit storage record, uint256 amount) internal returns (uint256 clawed) {
        uint256 left = record.amount - record.clawed;
        clawed = amount < left ? amount : left;
        if (clawed == 0) return 0;
        record.clawed += uint96(clawed);
        vault.clawBack(record.lane, record.contractSlot, clawed);
    }

    // --- Claims

    function _open(Exhibit storage record, Claim memory claim) internal returns (uint256 id) {
        id = ++claimCount;
        _claims[id] = claim;
        Heap.Uint256Heap storage holds = _holds[record.lane][record.contractSlot];
        holds.insert(uint256(record.index) << CLAIM_BITS | id);
        vault.setHold(record.lane, record.contractSlot, uint64(holds.peek() >> CLAIM_BITS));
    }

    function _openClaim(uint256 id) internal view returns (Claim storage claim) {
        claim = _claims[id];
        if (claim.exhibit == 0) revert UnknownClaim(id);
        if (claim.closed) revert ClaimClosed(id);
    }

    function _close(Exhibit storage record, Claim storage claim) internal {
        claim.closed = true;
        _release(record.lane, record.contractSlot);
    }

    function _release(uint32 lane, uint32 contractSlot) private {
        Heap.Uint256Heap storage holds = _holds[lane][contractSlot];
        uint256 released = 0;
        while (released < MAX_RELEASED && holds.length() != 0) {
            if (!_claims[uint192(holds.peek())].closed) break;
            holds.pop();
            ++released;
        }
        if (released == 0) return;
        vault.setHold(lane, contractSlot, holds.length() == 0 ? 0 : uint64(holds.peek() >> CLAIM_BITS));
    }
}
