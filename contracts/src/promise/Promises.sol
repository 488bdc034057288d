// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

import {IFraudVerifier, LaneContext} from "../interfaces/IFraudVerifier.sol";
import {IPromises, PromiseEvidence, Receipt} from "../interfaces/IPromises.sol";
import {IRollup} from "../interfaces/IRollup.sol";
import {Header, HeaderLib} from "../protocol/Header.sol";
import {Leaf} from "../protocol/Leaf.sol";
import {Limits} from "../protocol/Limits.sol";
import {Scheme} from "../protocol/Scheme.sol";
import {Sha256} from "../protocol/Sha256.sol";
import {StateTree} from "../protocol/StateTree.sol";
import {PromisedRow} from "./PromisedRow.sol";
import {ReceiptLib} from "./ReceiptLib.sol";

/// @notice Broken promises are slashed (docs/protocol.md §13, §15.9).
contract Promises is IPromises, ReentrancyGuardTransient {
    using Leaf for bytes32;
    using ReceiptLib for Receipt;

    /// 28 bytes of a header's hash, as the ring keeps them.
    uint256 private constant HASH_MASK = ~uint256(type(uint32).max);

    IRollup public immutable rollup;
    IFraudVerifier public immutable verifier;
    /// @notice Promises that were slashed, by keccak256(signed digest, position).
    mapping(bytes32 id => bool) public slashed;

    constructor(IRollup rollup_, IFraudVerifier verifier_) {
        rollup = rollup_;
        verifier = verifier_;
    }

    /// @inheritdoc IPromises
    function brokenPromise(
        Receipt calldata receipt,
        Header calldata header,
        Header calldata parent,
        PromiseEvidence calldata evidence
    ) external nonReentrant {
        bytes32 digest = receipt.digest(ReceiptLib.domainSeparator(address(rollup)));
        address signer = _checkReceipt(receipt, digest);
        bytes32 id = keccak256(abi.encode(digest, receipt.position));
        if (slashed[id]) revert AlreadySlashed(id);
        if (header.lane != receipt.lane) revert WrongLane(receipt.lane, header.lane);
        // Another's batch could lie about positions until it falls; what the signer posted is the signer's own.
        if (header.submitter == signer) rollup.requireLive(header);
        else rollup.requireFinal(header);
        uint8 scheme = rollup.schemeOf(receipt.lane);
        if (receipt.row.length != PromisedRow.rowBytes(scheme)) revert BadReceipt();
        _requireBroken(receipt, header, parent, evidence, scheme);

        slashed[id] = true;
        uint256 reward = rollup.slashForPromise(signer, payable(msg.sender));
        emit PromiseBroken(receipt.lane, receipt.position, signer, msg.sender, reward);
    }

    /// @inheritdoc IPromises
    function signerOf(Receipt calldata receipt) external view returns (address signer) {
        return _signer(receipt, receipt.digest(ReceiptLib.domainSeparator(address(rollup))));
    }

    function _checkReceipt(Receipt calldata receipt, bytes32 digest) private view returns (address) {
        uint256 expiresAt = uint256(receipt.time) + Limits.PROMISE_SECONDS;
        if (block.timestamp >= expiresAt) revert ReceiptExpired(expiresAt);
        return _signer(receipt, digest);
    }

    function _signer(Receipt calldata receipt, bytes32 digest) private view returns (address) {
        if (!receipt.covers()) revert PositionOutOfRange(receipt.position);
        if (!receipt.holdsRow()) revert BadReceipt();
        (address signer, ECDSA.RecoverError fault,) = ECDSA.tryRecover(digest, receipt.signature);
        if (fault != ECDSA.RecoverError.NoError) revert BadReceipt();
        return signer;
    }

    /// Reverts unless the chunk covers the position and holds something else there.
    function _requireBroken(
        Receipt calldata receipt,
        Header calldata header,
        Header calldata parent,
        PromiseEvidence calldata evidence,
        uint8 scheme
    ) private view {
        uint32 chunk = evidence.chunk;
        if (chunk < header.forcedChunks) revert NotCovered(receipt.position);
        (bytes31 preRoot, bytes memory body) = verifier.chunkAt(header, chunk, evidence.proof);
        if (chunk == 0) preRoot = _parentRoot(header, parent);
        bytes31 given =
            StateTree.stateRoot(evidence.evseRoot, evidence.contractRoot, Sha256.pair(evidence.laneLeaf, 0));
        if (given != preRoot) revert WrongPreRoot(preRoot, given);

        uint256 before = evidence.laneLeaf.toLane().position;
        if (receipt.position < before) revert NotCovered(receipt.position);
        (bool covered, uint32 row, bool kept) =
            PromisedRow.compare(scheme, body, receipt.position - before, receipt.row);
        if (!covered) revert NotCovered(receipt.position);
        if (!kept) return;
        bool spoiled = evidence.spoiled && _isSpoiled(header, parent, evidence, scheme, row);
        if (!spoiled) revert PromiseKept(receipt.position);
    }

    /// Whether the aggregate over a BLS chunk's row does not verify, found by re-executing the chunk. On a P-256 lane a signature
    /// that is the promised one is the sequencer's word kept, good or bad.
    function _isSpoiled(
        Header calldata header,
        Header calldata parent,
        PromiseEvidence calldata evidence,
        uint8 scheme,
        uint32 row
    ) private view returns (bool) {
        if (scheme != Scheme.BLS) return false;
        LaneContext memory context = LaneContext({
            zone: rollup.zoneOf(header.lane),
            scheme: scheme,
            domain: rollup.domainOf(header.lane),
            parentRoot: evidence.chunk == 0 ? _parentRoot(header, parent) : bytes31(0)
        });
        return verifier.inspect(header, context, evidence.chunk, row, evidence.proof).badSignature;
    }

    /// Compared as fraud proofs do: nobody checked the last 4 bytes of parentHash (§15.3).
    function _parentRoot(Header calldata header, Header calldata parent) private pure returns (bytes31) {
        bytes32 parentHash = HeaderLib.hash(parent);
        if ((uint256(parentHash) ^ uint256(header.parentHash)) & HASH_MASK != 0) {
            revert IRollup.WrongParentHeader(header.parentHash, parentHash);
        }
        return parent.postRoot;
    }
}
