// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Header} from "../protocol/Header.sol";

struct Attester {
    address owner;
    /// micro
    uint96 stake;
    /// Zero unless leaving is announced.
    uint64 releaseAt;
    /// Number of the change (joins and slashes, from 1) by which it joined: tells whoever holds an id from earlier holders.
    uint32 joined;
    /// keccak256 of the key's 128 bytes.
    bytes32 keyHash;
}

enum AttestationStatus {
    None,
    Open,
    Settled,
    Slashed
}

struct Attestation {
    uint256 signers;
    /// What the signers had staked, micro.
    uint96 stake;
    /// Paid fast against it and not settled, micro.
    uint96 drawn;
    /// Changes so far: a later holder of a signer's id did not sign, and after a later slash nothing more is paid.
    uint32 change;
    /// The lane's rollbacks so far.
    uint24 falls;
    AttestationStatus status;
}

/// @notice Attesters, their signatures on batches, and what fast withdrawals may use of their stake (docs/protocol.md §11).
interface IAttesters {
    event AttesterJoined(uint32 indexed attester, address indexed owner, bytes key, uint256 stake);
    event StakeAdded(uint32 indexed attester, uint256 amount, uint256 stake);
    event LeaveAnnounced(uint32 indexed attester, uint64 releaseAt);
    event AttesterLeft(uint32 indexed attester, address indexed to, uint256 amount);
    event BatchAttested(
        uint32 indexed lane, uint64 indexed index, bytes32 indexed headerHash, uint256 bitmap, uint256 stake
    );
    event FastDrawn(bytes32 indexed headerHash, uint32 indexed lane, uint256 amount, uint256 outstanding);
    event AttestationSettled(bytes32 indexed headerHash, uint256 released);
    event AttesterSlashed(uint32 indexed attester, bytes32 indexed headerHash, uint256 stake);
    event AttestersSlashed(
        bytes32 indexed headerHash, uint256 slashed, uint256 refilled, uint256 reward, uint256 burned
    );

    error TooManyAttesters();
    error StakeTooLow(uint256 stake, uint256 minimum);
    error StakeTooHigh(uint256 total);
    error BadKey();
    error BadPossession();
    error KeyTaken(bytes32 keyHash);
    error NotAttesterOwner(uint32 attester, address caller);
    error Leaving(uint32 attester);
    error NotLeaving(uint32 attester);
    error StakeLocked(uint64 releaseAt);
    error UnknownAttester(uint32 attester);
    error WrongKeysLength(uint256 length, uint256 expected);
    error WrongKey(uint32 attester);
    error NotEnoughStake(uint256 signed, uint256 total);
    error BadAggregate();
    error AlreadyAttested(bytes32 headerHash);
    error NotAttested(bytes32 headerHash);
    /// Genesis is nobody's claim, and a final batch needs no attesters.
    error NotAttestable(bytes32 headerHash);
    error NotVault(address caller);
    error OverStakeLimit(uint256 outstanding, uint256 limit);
    error OverLaneLimit(uint32 lane, uint256 outstanding, uint256 limit);
    /// Attesters were slashed since: a batch attested later serves.
    error AttestationVoid(bytes32 headerHash);
    error NotFallen(bytes32 headerHash);
    error NotSettleable(bytes32 headerHash);
    error AlreadySettled(bytes32 headerHash);

    /// @param key 128 bytes, EIP-2537 @param possession 192 bytes (docs/protocol.md §15.5)
    function join(bytes calldata key, bytes calldata possession, uint256 stake)
        external
        returns (uint32 attester);
    function addStake(uint32 attester, uint256 amount) external;
    /// @notice For good: the stake can be taken out 21 days later, and no longer counts from now on.
    function announceLeave(uint32 attester) external;
    function withdrawStake(uint32 attester, address to) external;
    /// @notice Anyone, with signatures of more than 2/3 of the stake. `keys`: those of the bitmap's attesters, in order.
    function attest(Header calldata header, uint256 bitmap, bytes calldata keys, bytes calldata aggregate)
        external;
    /// @notice The vault alone: takes `amount` out of what may be paid fast against an attested batch.
    /// @param escrow what the lane holds before the payment, without what is outstanding, micro
    function draw(bytes32 headerHash, uint32 lane, uint256 amount, uint256 escrow) external;
    /// @notice A final batch's payments are no longer outstanding. Anyone may call.
    function settle(Header calldata header) external;
    /// @notice An attested batch fell: its signers lose their stakes. Anyone may call.
    function slash(Header calldata header) external;

    /// @notice Attesters by id, those that are leaving too.
    function attesters() external view returns (uint32[] memory ids, Attester[] memory found);
    /// @notice All zero when nobody holds the id.
    function attester(uint32 id) external view returns (Attester memory);
    /// @notice Sum of the stakes that are not leaving, micro.
    function totalStake() external view returns (uint256);
    /// @notice Whether fast withdrawals are open against the batch, while it is live.
    function isAttested(bytes32 headerHash) external view returns (bool);
    function attestation(bytes32 headerHash) external view returns (Attestation memory);
    function outstanding() external view returns (uint256);
    function laneOutstanding(uint32 lane) external view returns (uint256);
    /// @notice Slashed, and kept for what is outstanding against batches that may yet fall, micro.
    function reserve() external view returns (uint256);
    /// @notice What attesters sign for a batch (§15.7).
    function messageOf(bytes32 headerHash) external view returns (bytes32);
}
