// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Header} from "../protocol/Header.sol";

/// @notice A sequencer's word for one record (docs/protocol.md §13, §15.9).
struct Receipt {
    uint32 lane;
    uint64 firstPosition;
    uint32 count;
    /// Seconds.
    uint32 time;
    bytes32 root;
    /// secp256k1, r ‖ s ‖ v, over the EIP-712 MicroBatch.
    bytes signature;
    uint64 position;
    /// record ‖ signature
    bytes row;
    bytes32[] path;
}

/// @notice Where the batch's chunk stands, and what it holds.
struct PromiseEvidence {
    uint32 chunk;
    /// The two subtree roots and the lane leaf that make the chunk's pre-root.
    bytes32 evseRoot;
    bytes32 contractRoot;
    bytes32 laneLeaf;
    /// BLS lanes: the record is there, and the chunk's aggregate does not verify.
    bool spoiled;
    /// abi.encode(Proof): its opening; on a BLS lane, when the aggregate is what is false, its witness too.
    bytes proof;
}

/// @notice Broken promises are slashed.
interface IPromises {
    event PromiseBroken(
        uint32 indexed lane, uint64 indexed position, address indexed signer, address reporter, uint256 reward
    );

    /// Row, path, count and root don't fit together, or the signature is none.
    error BadReceipt();
    error WrongLane(uint32 expected, uint32 given);
    error WrongPreRoot(bytes31 expected, bytes31 given);
    error PositionOutOfRange(uint64 position);
    error ReceiptExpired(uint256 expiredAt);
    error PromiseKept(uint64 position);
    error NotCovered(uint64 position);
    /// `receipt`: keccak256(abi.encode(signed digest, position)).
    error AlreadySlashed(bytes32 receipt);

    /// @notice Slashes the signer of a receipt, when the batch holds something else at its position.
    /// @param parent of the header; read only for its first chunk
    function brokenPromise(
        Receipt calldata receipt,
        Header calldata header,
        Header calldata parent,
        PromiseEvidence calldata evidence
    ) external;

    /// @notice Who signed the receipt. Reverts when it does not hold its own row.
    function signerOf(Receipt calldata receipt) external view returns (address signer);
    /// @notice Promises that were slashed, by keccak256(signed digest, position).
    function slashed(bytes32 id) external view returns (bool);
}
