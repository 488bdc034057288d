// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Finding, IFraudVerifier, LaneContext, Proof, Witness} from "../interfaces/IFraudVerifier.sol";
import {Bls12} from "../bls/Bls12.sol";
import {BlsSignature} from "../bls/BlsSignature.sol";
import {G1Point} from "../bls/G1Point.sol";
import {IForcedQueue} from "../interfaces/IForcedQueue.sol";
import {IRegistry} from "../interfaces/IRegistry.sol";
import {ITariff} from "../interfaces/ITariff.sol";
import {IVault} from "../interfaces/IVault.sol";
import {SetupConstants} from "../kzg/TrustedSetup.sol";
import {Header} from "../protocol/Header.sol";
import {P256} from "../protocol/P256.sol";
import {Record} from "../protocol/Record.sol";
import {Scheme} from "../protocol/Scheme.sol";
import {BlsRows} from "./BlsRows.sol";
import {ChunkItems, Item} from "./ChunkItem.sol";
import {ChunkOpening} from "./ChunkOpening.sol";
import {ForcedEntries} from "./ForcedEntries.sol";
import {P256Rows} from "./P256Rows.sol";
import {Replay, ReplayLib} from "./Replay.sol";

/// @notice Re-executes one chunk on L1 (docs/protocol.md §8, §15.4). Holds nothing, owns nothing, writes nothing.
contract FraudVerifier is IFraudVerifier {
    using ChunkItems for Item[];
    using ReplayLib for Replay;

    /// What re-execution found.
    struct Execution {
        bytes31 claimed;
        bytes31 computed;
        bytes body;
        /// In the chunk's order, with what became of each.
        Item[] items;
    }

    IRegistry public immutable registry;
    ITariff public immutable tariff;
    IVault public immutable vault;
    IForcedQueue public immutable forcedQueue;
    /// @notice Holder of the KZG setup's first 64 points, as its code.
    address public immutable trustedSetup;

    constructor(
        IRegistry registry_,
        ITariff tariff_,
        IVault vault_,
        IForcedQueue forcedQueue_,
        address trustedSetup_
    ) {
        if (trustedSetup_.codehash != SetupConstants.CODE_HASH) {
            revert WrongTrustedSetup(trustedSetup_);
        }
        registry = registry_;
        tariff = tariff_;
        vault = vault_;
        forcedQueue = forcedQueue_;
        trustedSetup = trustedSetup_;
        _requireP256();
        _requireBls();
    }

    /// @inheritdoc IFraudVerifier
    function execute(Header calldata header, LaneContext calldata context, uint32 chunk, bytes calldata proof)
        external
        view
        returns (bytes31 claimed, bytes31 computed)
    {
        Execution memory execution = _execute(header, context, chunk, _parts(proof));
        return (execution.claimed, execution.computed);
    }

    /// @inheritdoc IFraudVerifier
    function inspect(
        Header calldata header,
        LaneContext calldata context,
        uint32 chunk,
        uint32 row,
        bytes calldata proof
    ) external view returns (Finding memory) {
        Execution memory execution = _execute(header, context, chunk, _parts(proof));
        if (execution.claimed != execution.computed) {
            revert FalseChunk(execution.claimed, execution.computed);
        }
        if (row >= execution.items.length) revert RowOutOfRange(row, execution.items.length);
        Item memory item = execution.items[row];
        return Finding({
            record: Record.unwrap(item.record),
            settled: item.settled,
            amount: item.amount,
            badSignature: item.knownEvse && !item.validSignature
        });
    }

    /// Every question about a chunk is answered by re-executing it. Header and context come in memory, for in calldata they lie at
    /// known places: the compiler would write all of this once more for each caller.
    function _execute(Header memory header, LaneContext memory context, uint32 chunk, Proof calldata parts)
        private
        view
        returns (Execution memory execution)
    {
        if (chunk >= header.chunkCount) revert ChunkOutOfRange(chunk, header.chunkCount);
        bool forced = chunk < header.forcedChunks;
        if (!forced && parts.forced.length != 0) revert WrongLength("forced", parts.forced.length);
        bytes31 preRoot;
        (preRoot, execution.body, execution.claimed) = ChunkOpening.open(trustedSetup, header, chunk, parts);
        if (chunk == 0) preRoot = context.parentRoot;

        Item[] memory items = forced
            ? ForcedEntries.decode(forcedQueue, header, chunk, context.scheme, parts.forced)
            : _decode(context.scheme, execution.body);

        Witness calldata witness = parts.witness;
        Replay memory replay = ReplayLib.load(header, context, witness, tariff, vault);
        items.fetchWords(registry, header.lane, header.asOf);
        items.locateEvses(context.scheme, replay.evses, witness);
        if (forced) {
            ForcedEntries.verify(items);
            replay.forced = true;
        } else if (context.scheme == Scheme.BLS) {
            BlsRows.verify(items, execution.body, context.domain, witness);
        } else {
            P256Rows.verify(items, execution.body, context.domain, witness);
        }
        for (uint256 i = 0; i < items.length; i++) {
            replay.settle(witness, items[i]);
        }
        execution.items = items;
        execution.computed = replay.roots(witness, preRoot);
    }

    function _decode(uint8 scheme, bytes memory body) private pure returns (Item[] memory) {
        if (scheme == Scheme.P256) return P256Rows.decode(body);
        if (scheme == Scheme.BLS) return BlsRows.decode(body);
        revert UnsupportedScheme(scheme);
    }

    /// @inheritdoc IFraudVerifier
    function chunkAt(Header calldata header, uint32 chunk, bytes calldata proof)
        external
        view
        returns (bytes31 preRoot, bytes memory body)
    {
        if (chunk >= header.chunkCount) revert ChunkOutOfRange(chunk, header.chunkCount);
        return ChunkOpening.openAlone(trustedSetup, header, chunk, _parts(proof));
    }

    function _parts(bytes calldata proof) private pure returns (Proof calldata parts) {
        if (proof.length < 64 || uint256(bytes32(proof[0:32])) != 32) {
            revert WrongLength("proof", proof.length);
        }
        // The tuple's own offsets are checked against the calldata's size wherever they are followed.
        assembly ("memory-safe") {
            parts := add(proof.offset, 0x20)
        }
    }

    /// Where the precompile is missing every signature would look bad, and every honest batch fraudulent. The signature is
    /// the first P-256 SHA-256 one of RFC 6979, A.2.5 ("sample").
    function _requireP256() private view {
        bool works = P256.verify({
            digest: sha256("sample"),
            r: 0xefd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716,
            s: 0xf7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8,
            x: 0x60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6,
            y: 0x7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299
        });
        if (!works) revert PrecompileMissing(P256.PRECOMPILE);
    }

    /// The same for EIP-2537. The secret of the generator is 1, so the message's point is its own signature: the hash of "abc" by
    /// RFC 9380 under the protocol's tag.
    function _requireBls() private view {
        bytes memory signature = hex"1400ddb63494b2f3717d8706a834f928323cef590dd1f2bc8edaf857889e82c9b4cf242324526c9045bc8fec05f98fe9"
            hex"14b38e10fd6d2d63dfe704c3f0b1741474dfeaef88d6cdca4334413320701c74e5df8c7859947f6901c0a3c30dba23c9"
            hex"00187452296c28d5206880d2a86e8c7fc79df88e20b906a1fc1d5855da6b2b4ae6f8c83a591e2e5350753d2d7fe3c7b4"
            hex"09c205210f33e9cdaaa4630b3f6fad29744224e5100456973fcaf031cdbce8ad3f71d42af3f7733a3985d3a3d2f4be53";
        if (!BlsSignature.verifyOne(G1Point.GENERATOR, "abc", signature)) {
            revert PrecompileMissing(Bls12.PAIRING);
        }
    }
}
