// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Blockhash} from "@openzeppelin/contracts/utils/Blockhash.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

import {IFraudVerifier, LaneContext} from "../interfaces/IFraudVerifier.sol";
import {IForcedQueue} from "../interfaces/IForcedQueue.sol";
import {IRegistry} from "../interfaces/IRegistry.sol";
import {IRollup, LaneInfo, Submission} from "../interfaces/IRollup.sol";
import {Domain} from "../protocol/Domain.sol";
import {Header, HeaderLib} from "../protocol/Header.sol";
import {Limits} from "../protocol/Limits.sol";
import {Scheme} from "../protocol/Scheme.sol";
import {BatchData} from "./BatchData.sol";
import {Bonds} from "./Bonds.sol";
import {Falls} from "./Falls.sol";
import {ForcedRule} from "./ForcedRule.sol";
import {LaneHead, LaneHeads} from "./LaneHead.sol";

/// @notice Lanes, their batches and what becomes of false ones (docs/protocol.md §7, §8). A lane's storage is its own: no
/// call about one lane reads or writes another.
contract Rollup is Bonds, Falls, ReentrancyGuardTransient {
    using LaneHeads for LaneHead;

    struct Lane {
        LaneHead head;
        address owner;
        uint32 zone;
        /// Entries of the forced queue that the lane's batches consumed.
        uint64 forcedEnd;
        address pendingOwner;
        /// Highest index that a rollback ever took down; ring slots up to it may hold fallen batches.
        uint64 fallenTip;
        bytes32[65536] ring;
    }

    struct Commitment {
        uint64 blockNumber;
        uint64 madeAt;
    }

    /// State root of an untouched lane: two depth-20 trees of zero leaves and a zero lane leaf (§6).
    bytes31 public constant GENESIS_ROOT = 0xe5de568577bbaa73ceaf8c2d3c6161fef3c24c5aa715f5a69216cd659d3f09;
    /// The ring keeps this much of a header's hash; the rest of its word is the submission time.
    uint256 private constant HASH_MASK = ~uint256(type(uint32).max);

    IFraudVerifier public immutable verifier;
    IRegistry public immutable registry;
    IForcedQueue public immutable forcedQueue;
    /// @notice The one contract besides a fraud proof that may slash a bond.
    address public immutable promises;

    uint32 public laneCount;
    mapping(uint32 lane => Lane) private _lanes;
    mapping(bytes32 commitment => Commitment) private _commitments;

    constructor(IFraudVerifier verifier_, IRegistry registry_, IForcedQueue forcedQueue_, address promises_) {
        verifier = verifier_;
        registry = registry_;
        forcedQueue = forcedQueue_;
        promises = promises_;
    }

    // --- Lanes

    function openLane(uint32 zone, address operator, uint8 scheme) external returns (uint32 id) {
        if (!Scheme.known(scheme)) revert UnknownScheme(scheme);
        if (registry.zone(zone).operator == address(0)) revert UnknownZone(zone);

        id = laneCount++;
        uint32 openedAt = uint32(block.timestamp);
        Lane storage opened = _lanes[id];
        opened.head = LaneHeads.open(operator, openedAt, scheme);
        opened.owner = msg.sender;
        opened.zone = zone;

        Header memory genesis;
        genesis.lane = id;
        genesis.postRoot = GENESIS_ROOT;
        genesis.asOf = openedAt;
        opened.ring[0] = HeaderLib.ringWord(HeaderLib.hash(genesis), openedAt);
        emit LaneOpened(id, zone, msg.sender, operator, scheme, genesis);
    }

    function setOperator(uint32 id, address operator) external {
        Lane storage owned = _ownedLane(id);
        owned.head = owned.head.withOperator(operator);
        emit OperatorChanged(id, operator);
    }

    function proposeLaneOwner(uint32 id, address pendingOwner) external {
        _ownedLane(id).pendingOwner = pendingOwner;
        emit LaneOwnerProposed(id, pendingOwner);
    }

    function acceptLaneOwner(uint32 id) external {
        Lane storage offered = _openLane(id);
        if (msg.sender != offered.pendingOwner) revert NotPendingLaneOwner(id, msg.sender);
        offered.owner = msg.sender;
        offered.pendingOwner = address(0);
        emit LaneOwnerChanged(id, msg.sender);
    }

    // --- Batches

    function submitBatch(Submission calldata submission, bytes calldata data)
        external
        returns (bytes32 headerHash)
    {
        Lane storage target = _lanes[submission.lane];
        LaneHead head = target.head;
        if (!head.isOpen()) revert UnknownLane(submission.lane);
        _checkPlace(target, head, submission);
        _checkClock(head, submission);
        Header memory header = _header(submission);
        ForcedRule.take(header, forcedQueue, target.forcedEnd, head.scheme());
        address operator = head.operator();
        if (msg.sender != operator) {
            ForcedRule.requireForeignMay(header, forcedQueue, _isBonded(operator));
        }
        _requireBonded(msg.sender);
        bytes32[] memory dataWords = _dataWords(head.scheme(), header, data);
        header.dataHash = keccak256(abi.encodePacked(dataWords));
        headerHash = HeaderLib.hash(header);
        target.ring[submission.index % Limits.RING_SIZE] =
            HeaderLib.ringWord(headerHash, uint32(block.timestamp));
        target.head = head.withTip(submission.index, submission.asOf);
        if (header.forcedEnd != header.forcedStart) target.forcedEnd = header.forcedEnd;
        emit BatchSubmitted(submission.lane, submission.index, headerHash, header, dataWords);
    }

    // --- Fraud

    function commitFraud(bytes32 commitment) external {
        if (_commitments[commitment].madeAt != 0) revert CommitmentExists(commitment);
        _commitments[commitment] = Commitment(uint64(block.number), uint64(block.timestamp));
        emit FraudCommitted(commitment, msg.sender);
    }

    function proveFraud(
        Header calldata header,
        Header calldata parent,
        uint32 chunk,
        bytes32 salt,
        bytes calldata proof
    ) external nonReentrant {
        bytes32 headerHash = HeaderLib.hash(header);
        _requireProvable(header, headerHash, parent);
        if (chunk >= header.chunkCount) revert ChunkOutOfRange(chunk, header.chunkCount);
        _useCommitment(keccak256(abi.encode(headerHash, chunk, msg.sender, salt)));

        Lane storage hit = _lanes[header.lane];
        LaneHead head = hit.head;
        (bytes31 claimed, bytes31 computed) = verifier.execute(
            header,
            LaneContext({
                zone: hit.zone,
                scheme: head.scheme(),
                domain: domainOf(header.lane),
                parentRoot: parent.postRoot
            }),
            chunk,
            proof
        );
        if (claimed == computed) revert NotFraud(computed);

        if (head.tip() > hit.fallenTip) hit.fallenTip = head.tip();
        hit.head = head.withTip(parent.index, parent.asOf);
        hit.forcedEnd = parent.forcedEnd;
        _recordFall(header.lane, header.index);
        emit BatchesRolledBack(header.lane, header.index, headerHash, msg.sender);
        uint256 reward = _slash(header.submitter, msg.sender);
        emit FraudProven(header.lane, header.index, msg.sender, chunk, claimed, computed, reward);
    }

    // --- Bonds

    function withdrawBond(address payable to) external nonReentrant {
        _withdrawBond(to);
    }

    function slashForPromise(address signer, address payable reporter)
        external
        nonReentrant
        returns (uint256 reward)
    {
        if (msg.sender != promises) revert NotPromises(msg.sender);
        return _slashBonded(signer, reporter);
    }

    // --- Views

    function lane(uint32 id) external view returns (LaneInfo memory) {
        Lane storage viewed = _openLane(id);
        LaneHead head = viewed.head;
        return LaneInfo({
            owner: viewed.owner,
            pendingOwner: viewed.pendingOwner,
            operator: head.operator(),
            zone: viewed.zone,
            scheme: head.scheme(),
            tip: head.tip(),
            tipAsOf: head.tipAsOf(),
            tipHash: _ringHash(viewed, head.tip()),
            forcedEnd: viewed.forcedEnd
        });
    }

    function zoneOf(uint32 id) external view returns (uint32) {
        return _openLane(id).zone;
    }

    function schemeOf(uint32 id) external view returns (uint8) {
        return _openLane(id).head.scheme();
    }

    function isLaneAgent(uint32 id, address account) external view returns (bool) {
        Lane storage viewed = _openLane(id);
        return account != address(0) && (account == viewed.owner || account == viewed.head.operator());
    }

    function ringWordAt(uint32 id, uint64 index) external view returns (bytes32) {
        return _openLane(id).ring[index % Limits.RING_SIZE];
    }

    function isLive(Header calldata header) external view returns (bool) {
        (bool live,) = _liveness(header, HeaderLib.hash(header));
        return live;
    }

    function isFinal(Header calldata header) external view returns (bool) {
        (bool live, uint32 submittedAt) = _liveness(header, HeaderLib.hash(header));
        return live && block.timestamp >= _windowEnd(submittedAt);
    }

    function requireLive(Header calldata header) external view returns (uint32 submittedAt) {
        return _requireLive(header, HeaderLib.hash(header));
    }

    function requireFinal(Header calldata header) external view {
        uint256 finalAt = _windowEnd(_requireLive(header, HeaderLib.hash(header)));
        if (block.timestamp < finalAt) revert NotFinal(header.lane, header.index, uint64(finalAt));
    }

    function domainOf(uint32 id) public view returns (bytes32) {
        return Domain.ofLane(block.chainid, address(this), id);
    }

    // --- A submission's conditions

    function _checkPlace(Lane storage target, LaneHead head, Submission calldata submission) private view {
        uint64 index = submission.index;
        if (index != head.tip() + 1) revert WrongIndex(head.tip() + 1, index);
        if (bytes32(uint256(submission.parentHash) & HASH_MASK) != _ringHash(target, head.tip())) {
            revert WrongParent(submission.parentHash);
        }

        // The oldest batch that this one leaves in the ring must be final: then what it overwrites is final too, and
        // owners always have a final root to withdraw against. A slot up to fallenTip may hold a fallen batch, but then
        // this check has passed for that index before.
        uint256 oldest = uint256(index) + 1;
        if (oldest < Limits.RING_SIZE + 1) return;
        uint32 submittedAt = uint32(uint256(target.ring[oldest % Limits.RING_SIZE]));
        if (block.timestamp < _windowEnd(submittedAt) && index >= target.fallenTip) revert RingFull(index);
    }

    function _checkClock(LaneHead head, Submission calldata submission) private view {
        uint32 asOf = submission.asOf;
        if (asOf < head.tipAsOf()) revert AsOfBeforeParent(asOf, head.tipAsOf());
        if (asOf >= block.timestamp) revert AsOfNotPast(asOf, block.timestamp);
        if (block.timestamp > asOf + Limits.AS_OF_MAX_AGE_SECONDS) revert AsOfTooOld(asOf, block.timestamp);
        if (submission.l1Hash == 0 || Blockhash.blockHash(submission.l1Block) != submission.l1Hash) {
            revert PinnedBlockNotOnChain(submission.l1Block, submission.l1Hash);
        }
    }

    function _dataWords(uint8 scheme, Header memory header, bytes calldata data)
        private
        view
        returns (bytes32[] memory)
    {
        if (header.dataKind == HeaderLib.BLOB) {
            return BatchData.blobWords(header.chunkCount, data);
        }
        if (header.dataKind == HeaderLib.CALLDATA) {
            return BatchData.calldataWords(scheme, header.chunkCount, header.forcedChunks, data);
        }
        revert UnknownDataKind(header.dataKind);
    }

    /// Without the data's hash, and of the forced queue only where the batch ends in it.
    function _header(Submission calldata submission) private view returns (Header memory header) {
        if (submission.chunkCount == 0) revert NoChunks();
        header.lane = submission.lane;
        header.index = submission.index;
        header.parentHash = submission.parentHash;
        header.postRoot = submission.postRoot;
        header.asOf = submission.asOf;
        header.l1Block = submission.l1Block;
        header.l1Hash = submission.l1Hash;
        header.forcedEnd = submission.forcedEnd;
        header.dataKind = submission.dataKind;
        header.chunkCount = submission.chunkCount;
        header.submitter = msg.sender;
    }

    // --- A proof's conditions

    function _requireProvable(Header calldata header, bytes32 headerHash, Header calldata parent)
        private
        view
    {
        uint256 closedAt = _windowEnd(_requireLive(header, headerHash));
        if (block.timestamp >= closedAt) revert WindowClosed(uint64(closedAt));
        if (header.index == 0) revert GenesisNotProvable();
        // Only 28 bytes of parentHash were checked at submission. Were all 32 compared here, a submitter could make
        // the batch unprovable by a wrong byte among the last 4.
        bytes32 parentHash = HeaderLib.hash(parent);
        if ((uint256(parentHash) ^ uint256(header.parentHash)) & HASH_MASK != 0) {
            revert WrongParentHeader(header.parentHash, parentHash);
        }
    }

    function _useCommitment(bytes32 commitment) private {
        Commitment memory made = _commitments[commitment];
        if (made.madeAt == 0) revert UnknownCommitment(commitment);
        if (made.blockNumber >= block.number) revert CommitmentTooYoung();
        if (block.timestamp >= made.madeAt + Limits.FRAUD_COMMIT_MAX_AGE_SECONDS) revert CommitmentExpired();
        delete _commitments[commitment];
    }

    // --- Lane and ring access

    function _openLane(uint32 id) private view returns (Lane storage opened) {
        opened = _lanes[id];
        if (!opened.head.isOpen()) revert UnknownLane(id);
    }

    function _ownedLane(uint32 id) private view returns (Lane storage owned) {
        owned = _openLane(id);
        if (msg.sender != owned.owner) revert NotLaneOwner(id, msg.sender);
    }

    function _ringHash(Lane storage of_, uint64 index) private view returns (bytes32) {
        return bytes32(uint256(of_.ring[index % Limits.RING_SIZE]) & HASH_MASK);
    }

    function _liveness(Header calldata header, bytes32 headerHash)
        private
        view
        returns (bool live, uint32 submittedAt)
    {
        Lane storage of_ = _lanes[header.lane];
        uint256 word = uint256(of_.ring[header.index % Limits.RING_SIZE]);
        live = of_.head.isOpen() && header.index <= of_.head.tip()
            && (word ^ uint256(headerHash)) & HASH_MASK == 0;
        submittedAt = uint32(word);
    }

    function _requireLive(Header calldata header, bytes32 headerHash) private view returns (uint32) {
        (bool live, uint32 submittedAt) = _liveness(header, headerHash);
        if (!live) revert NotLive(header.lane, header.index);
        return submittedAt;
    }

    function _windowEnd(uint32 submittedAt) private pure returns (uint256) {
        return uint256(submittedAt) + Limits.WINDOW_SECONDS;
    }
}
