// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Header} from "../protocol/Header.sol";

/// @notice One settled record, as a live batch's chunk was seen to settle it.
struct Exhibit {
    uint32 lane;
    /// The batch's.
    uint64 index;
    uint32 evse;
    uint32 contractSlot;
    uint32 start;
    uint8 intervals;
    uint24 energyWh;
    /// micro
    uint96 amount;
    /// What claims have taken of `amount`.
    uint96 clawed;
    /// End of the batch's window.
    uint32 finalAt;
    /// The lane's rollbacks up to the exhibit: whether the batch fell since can then be told for good.
    uint32 falls;
}

/// @notice A dispute, or a double plug.
struct Claim {
    /// The record that may lose credit.
    bytes32 exhibit;
    /// Double plug: the record that keeps it. Zero for a dispute.
    bytes32 other;
    /// Dispute: who gave the bond.
    address challenger;
    uint32 answerUntil;
    uint24 vehicleWh;
    uint24 gridWh;
    /// The sources whose readings are there, added up.
    uint8 filed;
    bool closed;
}

/// @notice A signed meter reading (docs/protocol.md §15.8).
struct Reading {
    /// 1 vehicle, 2 grid meter.
    uint8 source;
    uint24 energyWh;
    bytes32 r;
    bytes32 s;
    /// Vehicle: the contract's descriptor. Grid meter: abi.encode(keyX, keyY, fromInterval, toInterval, certificate).
    bytes credentials;
}

/// @notice Disputed kWh, equivocation and double plugs (docs/protocol.md §12).
interface ICourt {
    event Exhibited(
        bytes32 indexed exhibit,
        uint32 indexed lane,
        uint64 indexed index,
        bytes32 headerHash,
        uint32 chunk,
        uint32 row,
        uint192 record,
        uint256 amount
    );
    event DisputeOpened(
        uint256 indexed dispute,
        bytes32 indexed exhibit,
        uint32 indexed lane,
        address challenger,
        uint8 source,
        uint24 energyWh,
        uint64 answerUntil
    );
    event DisputeAnswered(uint256 indexed dispute, uint8 source, uint24 energyWh);
    /// `energyWh` is the reading that stands, `slashed` what the EVSE's deposit gave.
    event DisputeResolved(
        uint256 indexed dispute, bool upheld, uint24 energyWh, uint256 clawed, uint256 slashed, uint256 reward
    );
    event DisputeVoid(uint256 indexed dispute);
    /// `exhibit` is the record with the smaller credit.
    event DoublePlugOpened(uint256 indexed claim, bytes32 indexed exhibit, bytes32 indexed other);
    event DoublePlugResolved(uint256 indexed claim, uint32 lane, uint32 contractSlot, uint256 clawed);
    event DoublePlugVoid(uint256 indexed claim);
    event EquivocationProven(
        uint32 indexed lane,
        uint32 indexed evse,
        address indexed reporter,
        uint192 first,
        uint192 second,
        uint256 reward
    );
    /// The token refused a transfer: the money waits for `collect`.
    event PaymentDue(address indexed to, uint256 amount);
    event Collected(address indexed from, address indexed to, uint256 amount);

    error WrongParentHeader(bytes32 expected, bytes32 given);
    error NotSettled(uint32 row);
    error ExhibitExists(bytes32 exhibit);
    error UnknownExhibit(bytes32 exhibit);
    error BatchFell(bytes32 exhibit);
    error WindowClosed(uint64 closedAt);
    error NotFinal(uint64 finalAt);
    error AlreadyDisputed(uint256 dispute);
    error WithinTolerance(uint24 recordWh, uint24 readingWh);
    error UnknownSource(uint8 source);
    error WrongDescriptor(uint32 slot);
    error NoVehicleKey(uint32 slot);
    error BadReading(uint8 source);
    error BadCertificate(uint32 evse);
    error SpanNotCovered(uint32 fromInterval, uint32 toInterval);
    error UnknownClaim(uint256 claim);
    error ClaimClosed(uint256 claim);
    error AlreadyFiled(uint8 source);
    error AnswerClosed(uint64 closedAt);
    error AnswerPending(uint64 answerUntil);
    error OtherContract();
    error SameEvse(uint32 evse);
    error NotOverlapping();
    error AlreadyClaimed(uint256 claim);
    error SameRecord();
    error OtherEvse(uint32 first, uint32 second);
    error WrongSignatureLength(uint256 length);
    error BadSignature(uint192 record);
    error AlreadyProven(uint32 lane, uint32 evse);
    error NothingDue(address account);

    /// @notice Re-executes a chunk of a live batch and keeps what one row of it settled. Anyone may call.
    /// @param parent as for IRollup.proveFraud @param proof as for IFraudVerifier.execute
    function exhibit(
        Header calldata header,
        Header calldata parent,
        uint32 chunk,
        uint32 row,
        bytes calldata proof
    ) external returns (bytes32 id);
    /// @notice Disputes a record inside its batch's window, for a bond that the caller has approved.
    function openDispute(bytes32 exhibitId, Reading calldata reading) external returns (uint256 dispute);
    /// @notice Files the reading that is still missing. Anyone may call.
    function answerDispute(uint256 dispute, Reading calldata reading) external;
    /// @notice Decides a dispute, once its batch is final and its answer is there or late; voids it when the batch fell.
    /// @param evseDescriptor for the deposit that answers for a false reading; needed only if a grid reading is there
    function resolveDispute(uint256 dispute, bytes calldata evseDescriptor) external;
    /// @notice Claims the smaller of two credits of one contract at two EVSEs for overlapping spans; one of the batches at
    /// least is not final.
    function openDoublePlug(bytes32 first, bytes32 second) external returns (uint256 claim);
    function resolveDoublePlug(uint256 claim) external;
    /// @notice Two records that one EVSE signed for overlapping spans end its slot and cost its deposit.
    /// @param signatures two of 64 (P-256) or 192 bytes (BLS, §15.5)
    function proveEquivocation(
        uint32 lane,
        bytes calldata descriptor,
        uint192 first,
        uint192 second,
        bytes calldata signatures
    ) external;
    /// @notice Lifts what closed claims still hold. Needed only where very many were open on one contract.
    function releaseHold(uint32 lane, uint32 contractSlot) external;
    /// @notice Pays the caller what the token refused to transfer to it.
    function collect(address to) external;

    function exhibitOf(bytes32 id) external view returns (Exhibit memory);
    function claimOf(uint256 id) external view returns (Claim memory);
    function claimCount() external view returns (uint256);
    /// @notice The record's dispute, open or decided; 0 for none.
    function disputeOf(uint32 lane, uint32 evse, uint32 start) external view returns (uint256);
    /// @notice The double plug that claims the record's credit; 0 for none.
    function doublePlugOf(bytes32 exhibitId) external view returns (uint256);
    function isProven(uint32 lane, uint32 evse) external view returns (bool);
    function dueOf(address account) external view returns (uint256);
}
