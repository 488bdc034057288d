// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Header} from "../protocol/Header.sol";

/// @notice One contract's credit in a final state.
struct Claim {
    uint32 slot;
    /// 77 bytes, authenticated by the slot's word.
    bytes descriptor;
    bytes32 leaf;
    /// 20 siblings, leaves first.
    bytes32[] path;
}

/// @notice The two words that join a contract root to the state root.
struct RootParts {
    bytes32 evseRoot;
    /// H(laneLeaf, 0)
    bytes32 laneHash;
}

/// @notice Custody: funding, refunds and withdrawals (docs/protocol.md §9). Nothing pauses it.
interface IVault {
    event Funded(uint32 indexed lane, address indexed from, uint256 amount, uint256 lifetime);
    /// A checkpoint with the effective time of the last one replaces it, under the same index.
    event CheckpointAdded(uint32 indexed lane, uint32 indexed index, uint32 effectiveFrom, uint96 funded);
    event RefundNoticed(uint32 indexed lane, uint32 indexed notice, uint256 amount, uint32 effectiveFrom);
    event RefundPaid(
        uint32 indexed lane, uint32 indexed notice, address indexed to, uint256 paid, uint256 returned
    );
    event Withdrawn(
        uint32 indexed lane, uint32 indexed slot, uint64 indexed vehicle, address owner, uint256 amount
    );

    event HoldSet(uint32 indexed lane, uint32 indexed slot, uint64 holdFrom);
    event ClawedBack(uint32 indexed lane, uint32 indexed slot, uint256 amount, uint256 clawback);

    /// What attesters lost came back to the lane.
    event Refilled(uint32 indexed lane, uint256 amount, uint256 paidOut);

    error ZeroAmount();
    error FundingOverflow(uint256 lifetime);
    error NotZoneOperator(uint32 zone, address caller);
    error RefundTooLarge(uint256 amount, uint256 funded);
    error UnknownNotice(uint32 notice);
    error NoticeSettled(uint32 notice);
    /// The header's state may not have seen the notice yet.
    error RefundTooEarly(uint32 asOf, uint32 effectiveFrom);
    error WrongState();
    error WrongDescriptor(uint32 slot);
    error WrongPath(uint32 slot);
    error WrongPathLength(uint32 slot, uint256 length);
    error NothingToWithdraw(uint32 slot);
    /// Withdrawals stop before batch `holdFrom` until a dispute is decided.
    error Held(uint32 slot, uint64 holdFrom);
    error NotCourt(address caller);
    error NotAttesters(address caller);
    error LaneInsolvent(uint32 lane, uint256 amount, uint256 available);

    function fund(uint32 lane, uint256 amount) external;
    /// @notice The zone's operator announces a refund; it lowers `funded` 30 minutes later.
    function noticeRefund(uint32 lane, uint256 amount) external returns (uint32 notice);
    /// @notice Pays a noticed refund to the zone's operator, who calls, against a final state that has seen the notice
    /// (§9): at most lifetime funding − refunds paid − other notices − that state's `spent`. The rest returns to `funded`.
    function claimRefund(
        Header calldata header,
        uint32 notice,
        bytes32 evseRoot,
        bytes32 contractRoot,
        bytes32 laneLeaf
    ) external;
    /// @notice Pays credited − withdrawn − clawback to the vehicle's owner. Anyone may call.
    function withdraw(Header calldata header, RootParts calldata parts, Claim calldata claim)
        external
        returns (uint256 paid);
    /// @notice Many owners of one lane; claims with nothing to pay, or held, are skipped.
    function withdrawMany(Header calldata header, RootParts calldata parts, Claim[] calldata claims)
        external
        returns (uint256 paid);
    /// @notice Pays as `withdraw`, against a live batch that attesters signed, within their limits (docs/protocol.md §11).
    function withdrawFast(Header calldata header, RootParts calldata parts, Claim calldata claim)
        external
        returns (uint256 paid);
    /// @notice The attesters' contract alone: gives back to a lane what was paid fast against a batch that fell.
    function refill(uint32 lane, uint256 amount) external;
    /// @notice The court alone: the contract's withdrawals stop before batch `holdFrom`; 0 lifts the hold.
    function setHold(uint32 lane, uint32 slot, uint64 holdFrom) external;
    /// @notice The court alone: takes `amount` of the contract's credit, paid or not. The lane's escrow keeps it.
    function clawBack(uint32 lane, uint32 slot, uint256 amount) external;

    function checkpointCount(uint32 lane) external view returns (uint32);
    /// @notice Zero when there is no such checkpoint (docs/protocol.md §15.1, funding word).
    function checkpoint(uint32 lane, uint32 index) external view returns (bytes32);
    function fundedAt(uint32 lane, uint32 asOf) external view returns (uint256);
    function lifetimeFunding(uint32 lane) external view returns (uint256);
    function withdrawn(uint32 lane, uint32 slot) external view returns (uint256);
    /// @notice Taken of the contract's credit so far, micro, and the first batch that it may not withdraw against; 0: none.
    function clawbackOf(uint32 lane, uint32 slot) external view returns (uint256 clawback, uint64 holdFrom);
    /// @notice Sum of all withdrawals of the lane, less what attesters gave back.
    function paidOut(uint32 lane) external view returns (uint256);
    function refundsPaid(uint32 lane) external view returns (uint256);
    /// @notice Sum of the refunds that are noticed and not settled.
    function pendingRefunds(uint32 lane) external view returns (uint256);
    /// @notice `amount` is zero once settled.
    function refundNotice(uint32 lane, uint32 notice)
        external
        view
        returns (uint256 amount, uint32 effectiveFrom);
}
