// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Header} from "../protocol/Header.sol";

/// @notice docs/protocol.md §15.4.
struct Opening {
    bytes chunk;
    bytes commitment;
    bytes cellProof;
    bytes next;
}

struct Witness {
    bytes32 laneLeaf;
    uint32 fundingIndex;
    uint32[] tariffVersions;
    bytes tariffs;
    bytes evses;
    bytes evseSiblings;
    bytes contracts;
    bytes contractSiblings;
}

struct Proof {
    bytes32[] dataWords;
    Opening opening;
    Witness witness;
    /// A forced chunk's entries, record 24 | queuedAt u32 (§15.4).
    bytes forced;
}

/// @notice One row of a chunk, as re-execution found it.
struct Finding {
    uint192 record;
    bool settled;
    /// micro
    uint256 amount;
    /// It passes check 1, and its signature, or the aggregate over it, does not verify.
    bool badSignature;
}

/// @notice What the verifier must know of the lane besides its header.
struct LaneContext {
    uint32 zone;
    uint8 scheme;
    bytes32 domain;
    /// postRoot of the parent header.
    bytes31 parentRoot;
}

interface IFraudVerifier {
    error UnsupportedScheme(uint8 scheme);
    error UnknownDataKind(uint8 dataKind);
    error ChunkOutOfRange(uint32 chunk, uint32 chunkCount);
    /// These are not the queue's entries from `from` to `to` − 1.
    error WrongForcedEntries(uint64 from, uint64 to);
    error WrongTrustedSetup(address holder);
    error PrecompileMissing(address precompile);
    error WrongDataWords(bytes32 expected, bytes32 given);
    error WrongChunkData(uint32 chunk);
    error WrongOpening();
    error WrongLength(bytes32 what, uint256 length);
    error WrongPreRoot(bytes31 expected, bytes31 given);
    error SlotsNotRising(uint32 slot);
    error SlotOutOfRange(uint32 slot);
    error EmptyTreeWitness();
    error SiblingsLeftOver();
    error SiblingsMissing();
    error MissingEvse(uint32 slot);
    error MissingContract(uint32 slot);
    error WrongDescriptor(uint32 slot);
    error MissingTariff(uint32 period);
    error WrongTariff(uint32 version);
    error WrongFundingIndex(uint32 index);
    error PrecompileOutOfGas(address precompile);
    /// The chunk is fraud: prove it, rather than ask what its rows settled.
    error FalseChunk(bytes31 claimed, bytes31 computed);
    error RowOutOfRange(uint32 row, uint256 rows);

    /// @notice Re-executes one chunk. Reverts for a wrong witness, never because of what the chunk holds.
    /// @param proof abi.encode(Proof)
    /// @return claimed the root that the batch states after the chunk
    /// @return computed the root that docs/protocol.md §5 yields
    function execute(Header calldata header, LaneContext calldata context, uint32 chunk, bytes calldata proof)
        external
        view
        returns (bytes31 claimed, bytes31 computed);

    /// @notice What a batch posted as one chunk, authenticated by the header's data hash. Nothing of the proof but its data words
    /// and the chunk's own opening is read.
    /// @param proof abi.encode(Proof)
    /// @return preRoot what the chunk states as the root before it; says nothing in chunk 0 (docs/protocol.md §7)
    /// @return body its records, zero-padded
    function chunkAt(Header calldata header, uint32 chunk, bytes calldata proof)
        external
        view
        returns (bytes31 preRoot, bytes memory body);

    /// @notice What row `row` of a chunk did, found by re-executing the chunk; reverts if its root is false.
    function inspect(
        Header calldata header,
        LaneContext calldata context,
        uint32 chunk,
        uint32 row,
        bytes calldata proof
    ) external view returns (Finding memory);
}
