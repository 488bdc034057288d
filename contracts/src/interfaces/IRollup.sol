// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Header} from "../protocol/Header.sol";

/// @notice What the submitter of a batch states; the rest of its header comes from the lane and the transaction.
struct Submission {
    uint32 lane;
    uint64 index;
    bytes32 parentHash;
    bytes31 postRoot;
    uint32 asOf;
    uint64 l1Block;
    bytes32 l1Hash;
    uint8 dataKind;
    uint32 chunkCount;
    /// Entries of the lane's forced queue that are consumed with this batch, counted from the queue's first (§15.6).
    uint64 forcedEnd;
}

struct LaneInfo {
    address owner;
    address pendingOwner;
    address operator;
    uint32 zone;
    uint8 scheme;
    /// Index of the newest live batch.
    uint64 tip;
    uint32 tipAsOf;
    /// First 28 bytes of the tip's header hash, as the ring keeps them; the last 4 are zero.
    bytes32 tipHash;
    /// Entries of the forced queue that the tip and the batches before it consumed: the next batch's forcedStart.
    uint64 forcedEnd;
}

interface IRollup {
    event LaneOpened(
        uint32 indexed lane,
        uint32 indexed zone,
        address indexed owner,
        address operator,
        uint8 scheme,
        Header genesis
    );
    event LaneOwnerProposed(uint32 indexed lane, address indexed pendingOwner);
    event LaneOwnerChanged(uint32 indexed lane, address indexed owner);
    event OperatorChanged(uint32 indexed lane, address indexed operator);
    /// `dataWords`: versioned hashes of the blobs, or the hash of every calldata chunk (§15.3).
    event BatchSubmitted(
        uint32 indexed lane,
        uint64 indexed index,
        bytes32 indexed headerHash,
        Header header,
        bytes32[] dataWords
    );
    /// Batch `index` and everything after it fell; the tip is `index - 1`.
    event BatchesRolledBack(
        uint32 indexed lane, uint64 indexed index, bytes32 indexed headerHash, address prover
    );
    event FraudCommitted(bytes32 indexed commitment, address indexed sender);
    event FraudProven(
        uint32 indexed lane,
        uint64 indexed index,
        address indexed prover,
        uint32 chunk,
        bytes31 claimedRoot,
        bytes31 computedRoot,
        uint256 reward
    );
    event BondDeposited(address indexed submitter, uint256 amount, uint256 total);
    event BondExitAnnounced(address indexed submitter, uint64 releaseAt);
    event BondExitCancelled(address indexed submitter);
    event BondWithdrawn(address indexed submitter, uint256 amount);
    event BondSlashed(address indexed submitter, uint256 slashed, uint256 reward, uint256 burned);

    error UnknownLane(uint32 lane);
    error UnknownZone(uint32 zone);
    error UnknownScheme(uint8 scheme);
    error NotPendingLaneOwner(uint32 lane, address caller);
    error NotLaneOwner(uint32 lane, address caller);
    error NotOperator(uint32 lane, address caller);
    error WrongIndex(uint64 expected, uint64 given);
    error WrongParent(bytes32 given);
    error AsOfBeforeParent(uint32 asOf, uint32 parentAsOf);
    error AsOfNotPast(uint32 asOf, uint256 blockTime);
    error AsOfTooOld(uint32 asOf, uint256 blockTime);
    error PinnedBlockNotOnChain(uint64 l1Block, bytes32 l1Hash);
    error NoChunks();
    error TooManyForcedChunks(uint32 forcedChunks, uint32 chunkCount);
    error ForcedEndBehind(uint64 forcedEnd, uint64 forcedStart);
    error TooManyForcedEntries(uint64 entries, uint256 most);
    /// The queue is shorter.
    error NoForcedEntry(uint64 forcedEnd);
    /// The batch's clock is behind an entry it takes: a record could be too young for it and be lost.
    error ForcedEntryAhead(uint32 asOf, uint256 queuedAt);
    /// The batch leaves an entry behind that is older than 12 h.
    error ForcedEntryDue(uint64 entry, uint256 queuedAt);
    /// Who is not the lane's operator may post nothing but forced chunks.
    error NotForcedOnly(uint32 forcedChunks, uint32 chunkCount);
    error WrongBlobCount(uint256 expected);
    error WrongDataLength(uint256 length, uint32 chunkCount);
    error UnknownDataKind(uint8 dataKind);
    error UnexpectedCalldata();
    /// Posting `index` would leave the ring without a final batch.
    error RingFull(uint64 index);
    error BondTooLow(address submitter, uint256 bond, uint256 required);
    error BondExiting(address submitter);
    error NoBond(address submitter);
    error NoBondExit(address submitter);
    error BondLocked(uint64 releaseAt);
    error NotLive(uint32 lane, uint64 index);
    error NotFinal(uint32 lane, uint64 index, uint64 finalAt);
    error WindowClosed(uint64 closedAt);
    error WrongParentHeader(bytes32 expected, bytes32 given);
    error GenesisNotProvable();
    error UnknownCommitment(bytes32 commitment);
    error CommitmentExists(bytes32 commitment);
    error CommitmentTooYoung();
    error CommitmentExpired();
    error ChunkOutOfRange(uint32 chunk, uint32 chunkCount);
    error NotFraud(bytes31 root);
    error NotPromises(address caller);
    error PaymentFailed(address to, uint256 amount);

    /// @notice Opens a lane in `zone`; the caller becomes its owner. Scheme 0: P-256; 1: BLS12-381.
    function openLane(uint32 zone, address operator, uint8 scheme) external returns (uint32 lane);
    function setOperator(uint32 lane, address operator) external;
    function proposeLaneOwner(uint32 lane, address pendingOwner) external;
    function acceptLaneOwner(uint32 lane) external;

    function depositBond() external payable;
    /// @notice Stops the caller from posting; the bond can leave after every batch is final and every receipt expired.
    function announceBondExit() external;
    /// @notice Takes the announcement back; the caller may post again.
    function cancelBondExit() external;
    function withdrawBond(address payable to) external;
    /// @notice `releaseAt` is zero unless an exit is announced.
    function bondOf(address submitter) external view returns (uint256 amount, uint64 releaseAt);

    /// @notice Posts the lane's next batch; `data` is empty for blobs. Conditions: docs/protocol.md §7, §10.
    function submitBatch(Submission calldata submission, bytes calldata data)
        external
        returns (bytes32 headerHash);

    /// @notice Commits to a fraud proof: keccak256(abi.encode(headerHash, chunk, caller, salt)).
    function commitFraud(bytes32 commitment) external;
    /// @notice Re-executes chunk `chunk` of a live batch in its window; a wrong root slashes the submitter and rolls back.
    /// @param parent must match the first 28 bytes of header.parentHash: the ring keeps no more, so the submitter may
    /// have put anything into the last 4
    function proveFraud(
        Header calldata header,
        Header calldata parent,
        uint32 chunk,
        bytes32 salt,
        bytes calldata proof
    ) external;

    /// @notice Slashes a signer whose receipt was found broken; only `promises` may. Reverts when there is no bond left to take.
    function slashForPromise(address signer, address payable reporter) external returns (uint256 reward);

    function lane(uint32 id) external view returns (LaneInfo memory);
    function laneCount() external view returns (uint32);
    /// @notice State root of an untouched lane (docs/protocol.md §6).
    function GENESIS_ROOT() external view returns (bytes31);
    /// @notice Reverts for a lane that isn't open, as do `lane`, `schemeOf` and `isLaneAgent`.
    function zoneOf(uint32 lane) external view returns (uint32);
    function schemeOf(uint32 lane) external view returns (uint8);
    /// @notice Owner or operator: who may register and enrol.
    function isLaneAgent(uint32 lane, address account) external view returns (bool);
    function ringWordAt(uint32 lane, uint64 index) external view returns (bytes32);
    function isLive(Header calldata header) external view returns (bool);
    function isFinal(Header calldata header) external view returns (bool);
    /// @notice Reverts unless the header is live; returns its submission time.
    function requireLive(Header calldata header) external view returns (uint32 submittedAt);
    /// @notice Reverts unless the header is final; once it doesn't, only the ring's overwriting it makes it revert again.
    function requireFinal(Header calldata header) external view;
    /// @notice How many times a fraud proof rolled the lane back.
    function fallCount(uint32 lane) external view returns (uint32);
    /// @notice Whether a batch that was live when `fallCount` was `count` has fallen since; exact at any later time.
    function fellSince(uint32 lane, uint64 index, uint32 count) external view returns (bool);
    function domainOf(uint32 lane) external view returns (bytes32);
}
