// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Header} from "../protocol/Header.sol";

/// @notice One settled record, as a live batch's chunk was seen to settle it.
struct Exhibit {
    uint32 lane;
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
    bytes32 headerHash;
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
    event DisputeResolved(
        uint256 indexed dispute, bool upheld, uint24 energyWh, uint256 clawed, uint256 slashed, uint256 reward
    );
    event DisputeVoid(uint256 indexed dispute);
    event DoublePlugOpened(uint256 indexed claim, bytes32 indexed first, bytes32 indexed second);
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

    /// @notice Re-executes a chunk of a live batch inside its window and keeps what one row of it settled.
    /// @param parent as for IRollup.proveFraud @param proof as for IFraudVerifier.execute
    function exhibit(
        Header calldata header,
        Header calldata parent,
        uint32 chunk,
        uint32 row,
        bytes calldata proof
    ) external returns (bytes32 id);
    function openDispute(bytes32 exhibit, Header calldata header, Reading calldata reading)
        external
        returns (uint256 dispute);
    function answerDispute(uint256 dispute, Reading calldata reading) external;
    /// @param evseDescriptor for the deposit that answers for a false reading
    function resolveDispute(uint256 dispute, Header calldata header, bytes calldata evseDescriptor) external;
    function openDoublePlug(
        bytes32 first,
        Header calldata firstHeader,
        bytes32 second,
        Header calldata secondHeader
    ) external returns (uint256 claim);
    function resolveDoublePlug(uint256 claim, Header calldata firstHeader, Header calldata secondHeader)
        external;
    /// @param signatures two of 64 (P-256) or 192 bytes (BLS, §15.5)
    function proveEquivocation(
        uint32 lane,
        bytes calldata descriptor,
        uint192 first,
        uint192 second,
        bytes calldata signatures
    ) external;

    function exhibitOf(bytes32 id) external view returns (Exhibit memory);
}
