// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

import {ExactTransfer} from "../ExactTransfer.sol";
import {Attestation, AttestationStatus, Attester, IAttesters} from "../interfaces/IAttesters.sol";
import {IRollup} from "../interfaces/IRollup.sol";
import {IVault} from "../interfaces/IVault.sol";
import {Header, HeaderLib} from "../protocol/Header.sol";
import {Limits} from "../protocol/Limits.sol";
import {Seats} from "./Seats.sol";

/// @notice Attesters, their signatures on batches, and what fast withdrawals may use of their stake (docs/protocol.md §11).
contract Attesters is Seats, ReentrancyGuardTransient {
    using ExactTransfer for IERC20;
    using SafeERC20 for IERC20;

    /// Half of what a slash does not give back goes here, or attesters could slash themselves for free.
    address private constant BURN = 0x000000000000000000000000000000000000dEaD;

    IRollup public immutable rollup;
    IVault public immutable vault;
    IERC20 public immutable token;

    uint256 public outstanding;
    uint256 public reserve;
    mapping(uint32 lane => uint256) public laneOutstanding;
    /// What `_changes` was at the last slash.
    uint32 private _slashedAt;
    mapping(bytes32 headerHash => Attestation) private _attestations;

    constructor(IRollup rollup_, IVault vault_, IERC20 token_) {
        rollup = rollup_;
        vault = vault_;
        token = token_;
    }

    // --- Stakes

    function join(bytes calldata key, bytes calldata possession, uint256 stake)
        external
        nonReentrant
        returns (uint32 id)
    {
        id = _join(key, possession, stake);
        token.take(msg.sender, stake);
    }

    function addStake(uint32 id, uint256 amount) external nonReentrant {
        _addStake(id, amount);
        token.take(msg.sender, amount);
    }

    function withdrawStake(uint32 id, address to) external nonReentrant {
        token.safeTransfer(to, _leave(id, to));
    }

    // --- Batches

    function attest(Header calldata header, uint256 bitmap, bytes calldata keys, bytes calldata aggregate)
        external
    {
        bytes32 headerHash = HeaderLib.hash(header);
        if (_attestations[headerHash].status != AttestationStatus.None) revert AlreadyAttested(headerHash);
        rollup.requireLive(header);
        if (header.index == 0 || rollup.isFinal(header)) revert NotAttestable(headerHash);

        uint256 stake = _requireSigned(messageOf(headerHash), bitmap, keys, aggregate);
        _attestations[headerHash] = Attestation({
            signers: bitmap,
            // At most the total, which is below 2^96.
            stake: uint96(stake),
            drawn: 0,
            change: _changes,
            // A rollback costs a fraud proof: there are never 2^24.
            falls: uint24(rollup.fallCount(header.lane)),
            status: AttestationStatus.Open
        });
        emit BatchAttested(header.lane, header.index, headerHash, bitmap, stake);
    }

    function draw(bytes32 headerHash, uint32 lane, uint256 amount, uint256 escrow) external {
        if (msg.sender != address(vault)) revert NotVault(msg.sender);
        Attestation storage drawnOn = _attestations[headerHash];
        if (drawnOn.status == AttestationStatus.None) revert NotAttested(headerHash);
        if (drawnOn.status != AttestationStatus.Open) revert AlreadySettled(headerHash);
        // Its signers may have lost what it counts on.
        if (drawnOn.change < _slashedAt) revert AttestationVoid(headerHash);

        uint256 ofAll = outstanding + amount;
        uint256 limit = uint256(drawnOn.stake) / 2;
        if (ofAll > limit) revert OverStakeLimit(ofAll, limit);
        uint256 ofLane = laneOutstanding[lane];
        uint256 laneLimit = (escrow + ofLane) * Limits.FAST_LANE_BPS / 10_000;
        if (ofLane + amount > laneLimit) revert OverLaneLimit(lane, ofLane + amount, laneLimit);

        outstanding = ofAll;
        laneOutstanding[lane] = ofLane + amount;
        drawnOn.drawn += uint96(amount);
        emit FastDrawn(headerHash, lane, amount, ofAll);
    }

    function settle(Header calldata header) external nonReentrant {
        bytes32 headerHash = HeaderLib.hash(header);
        Attestation storage settled = _openAttestation(headerHash);
        if (!_isSettleable(header, settled.falls)) revert NotSettleable(headerHash);

        settled.status = AttestationStatus.Settled;
        uint256 released = _release(settled, header.lane);
        emit AttestationSettled(headerHash, released);
        uint256 spare = reserve > outstanding ? reserve - outstanding : 0;
        if (spare == 0) return;
        reserve -= spare;
        token.safeTransfer(BURN, spare);
    }

    function slash(Header calldata header) external nonReentrant {
        bytes32 headerHash = HeaderLib.hash(header);
        Attestation storage fallen = _openAttestation(headerHash);
        if (!rollup.fellSince(header.lane, header.index, fallen.falls)) revert NotFallen(headerHash);

        fallen.status = AttestationStatus.Slashed;
        _slashedAt = ++_changes;
        uint256 slashed = _removeSigners(headerHash, fallen);
        uint256 drawn = _release(fallen, header.lane);
        uint256 held = slashed + reserve;
        uint256 refilled = drawn < held ? drawn : held;
        held -= refilled;
        // The same signers may have vouched for other false batches that were paid against: what is left of their stakes
        // must still be there when those fall.
        reserve = held < outstanding ? held : outstanding;
        uint256 free = held - reserve;
        uint256 reward = free / 2;
        emit AttestersSlashed(headerHash, slashed, refilled, reward, free - reward);

        if (refilled != 0) {
            token.forceApprove(address(vault), refilled);
            vault.refill(header.lane, refilled);
        }
        if (free == 0) return;
        token.safeTransfer(BURN, free - reward);
        token.safeTransfer(msg.sender, reward);
    }

    // --- Views

    function isAttested(bytes32 headerHash) external view returns (bool) {
        Attestation storage found = _attestations[headerHash];
        return found.status == AttestationStatus.Open && found.change >= _slashedAt;
    }

    function attestation(bytes32 headerHash) external view returns (Attestation memory) {
        return _attestations[headerHash];
    }

    function messageOf(bytes32 headerHash) public view returns (bytes32) {
        return sha256(abi.encodePacked("backfeed/1/attest", block.chainid, address(this), headerHash));
    }

    // --- Inner workings

    function _openAttestation(bytes32 headerHash) private view returns (Attestation storage found) {
        found = _attestations[headerHash];
        if (found.status == AttestationStatus.None) revert NotAttested(headerHash);
        if (found.status != AttestationStatus.Open) revert AlreadySettled(headerHash);
    }

    /// Final, or final for so long that the ring has forgotten it.
    function _isSettleable(Header calldata header, uint32 falls) private view returns (bool) {
        if (rollup.isFinal(header)) return true;
        bool isForgotten = uint256(header.index) + Limits.RING_SIZE <= rollup.lane(header.lane).tip;
        return isForgotten && !rollup.fellSince(header.lane, header.index, falls);
    }

    function _release(Attestation storage of_, uint32 lane) private returns (uint256 released) {
        released = of_.drawn;
        of_.drawn = 0;
        outstanding -= released;
        laneOutstanding[lane] -= released;
    }
}
