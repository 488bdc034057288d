// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IFraudVerifier, LaneContext, Proof, Witness} from "./interfaces/IFraudVerifier.sol";
import {IRegistry} from "./interfaces/IRegistry.sol";
import {ITariff} from "./interfaces/ITariff.sol";
import {IVault} from "./interfaces/IVault.sol";
import {BlobCell} from "./kzg/BlobCell.sol";
import {SetupConstants} from "./kzg/TrustedSetup.sol";
import {Chunk} from "./protocol/Chunk.sol";
import {ContractDescriptor, EvseDescriptor, SlotWord} from "./protocol/Descriptor.sol";
import {Domain} from "./protocol/Domain.sol";
import {Header, HeaderLib} from "./protocol/Header.sol";
import {ContractLeaf, EvseLeaf, LaneLeaf, Leaf} from "./protocol/Leaf.sol";
import {Limits} from "./protocol/Limits.sol";
import {Outcome} from "./protocol/Outcome.sol";
import {P256} from "./protocol/P256.sol";
import {Record} from "./protocol/Record.sol";
import {Settlement} from "./protocol/Settlement.sol";
import {Sha256} from "./protocol/Sha256.sol";
import {Nodes, StateTree} from "./protocol/StateTree.sol";
import {TariffTable} from "./protocol/TariffTable.sol";

/// @notice Re-executes one chunk on L1 (docs/protocol.md §8, §15.4). Holds nothing, owns nothing, writes nothing.
contract FraudVerifier is IFraudVerifier {
    using Leaf for bytes32;
    using Leaf for EvseLeaf;
    using Leaf for ContractLeaf;
    using Leaf for LaneLeaf;
    using StateTree for Nodes;

    uint8 public constant SCHEME_P256 = 0;
    /// Stands for no checkpoint, no tariff version.
    uint32 private constant NONE = type(uint32).max;
    /// Later than every period.
    uint256 private constant OPEN = 1 << 32;

    IRegistry public immutable registry;
    ITariff public immutable tariff;
    IVault public immutable vault;
    /// @notice Holder of the KZG setup's first 64 points, as its code.
    address public immutable trustedSetup;

    /// One record and what is known of it ahead of the others. A slot out of range has the word of an empty one.
    struct Item {
        Record record;
        bytes32 evseWord;
        bytes32 contractWord;
        /// Passes check 1.
        bool knownEvse;
        /// Where the witness has its EVSE; only if `knownEvse`.
        uint256 evseAt;
        bool validSignature;
    }

    /// The chunk under execution.
    struct Run {
        uint32 lane;
        uint32 zone;
        uint256 asOf;
        uint256 evseKeyBytes;
        Item[] items;
        Nodes evses;
        Nodes contracts;
        LaneLeaf laneLeaf;
        uint256 funded;
        /// Version i of the witness is in force in the periods [tariffFrom[i], tariffTo[i]).
        uint256[] tariffFrom;
        uint256[] tariffTo;
        /// Terms of the last period asked for.
        uint256 period;
        uint256 tariffAt;
        uint256 priceNano;
        bool priceKnown;
    }

    constructor(IRegistry registry_, ITariff tariff_, IVault vault_, address trustedSetup_) {
        if (trustedSetup_.codehash != SetupConstants.CODE_HASH) revert WrongTrustedSetup(trustedSetup_);
        registry = registry_;
        tariff = tariff_;
        vault = vault_;
        trustedSetup = trustedSetup_;
        _requireP256();
    }

    /// @inheritdoc IFraudVerifier
    function execute(Header calldata header, LaneContext calldata context, uint32 chunk, bytes calldata proof)
        external
        view
        returns (bytes31 claimed, bytes31 computed)
    {
        if (chunk >= header.chunkCount) revert ChunkOutOfRange(chunk, header.chunkCount);
        if (chunk < header.forcedChunks) revert ForcedChunkUnsupported(chunk);
        if (context.scheme != SCHEME_P256) revert UnsupportedScheme(context.scheme);

        Proof calldata parts = _parts(proof);
        (bytes31 preRoot, bytes memory body, bytes31 claimedRoot) = _openData(header, chunk, parts);
        claimed = claimedRoot;
        if (chunk == 0) preRoot = context.parentRoot;

        Witness calldata witness = parts.witness;
        Run memory run = _load(header, context, witness);
        run.items = _decodeP256(run, body);
        _readWords(run);
        _verifyP256(run, context.domain, witness, body);
        for (uint256 i = 0; i < run.items.length; i++) {
            _apply(run, witness, run.items[i]);
        }
        computed = _roots(run, witness, preRoot);
    }

    // --- The data

    function _parts(bytes calldata proof) private pure returns (Proof calldata parts) {
        if (proof.length < 64 || uint256(bytes32(proof[0:32])) != 32) {
            revert WrongLength("proof", proof.length);
        }
        // The tuple's own offsets are checked against the calldata's size wherever they are followed.
        assembly ("memory-safe") {
            parts := add(proof.offset, 0x20)
        }
    }

    /// The chunk's bytes, authenticated, and the root that the batch claims after it. `preRoot` is what the chunk states.
    function _openData(Header calldata header, uint32 chunk, Proof calldata parts)
        private
        view
        returns (bytes31 preRoot, bytes memory body, bytes31 claimed)
    {
        bytes32 dataHash = keccak256(abi.encodePacked(parts.dataWords));
        if (dataHash != header.dataHash) revert WrongDataWords(header.dataHash, dataHash);
        bool last = chunk + 1 == header.chunkCount;
        if (last && parts.opening.next.length != 0) revert WrongLength("next", parts.opening.next.length);

        if (header.dataKind == HeaderLib.BLOB) {
            (preRoot, body) = _openBlob(chunk, parts);
            claimed = last ? header.postRoot : _nextBlobRoot(chunk + 1, parts);
        } else if (header.dataKind == HeaderLib.CALLDATA) {
            bytes calldata data = parts.opening.chunk;
            if (keccak256(data) != parts.dataWords[chunk]) revert WrongChunkData(chunk);
            (preRoot, body) = Chunk.fromBytes(data);
            claimed = last ? header.postRoot : _nextCalldataRoot(chunk + 1, parts);
        } else {
            revert UnknownDataKind(header.dataKind);
        }
    }

    function _openBlob(uint32 chunk, Proof calldata parts) private view returns (bytes31, bytes memory) {
        BlobCell.verify({
            setup: trustedSetup,
            versionedHash: parts.dataWords[chunk / Limits.BLOB_CHUNKS],
            index: chunk % Limits.BLOB_CHUNKS,
            opening: parts.opening
        });
        return Chunk.fromCell(parts.opening.chunk);
    }

    function _nextBlobRoot(uint32 next, Proof calldata parts) private view returns (bytes31) {
        bytes calldata element = parts.opening.next;
        BlobCell.verifyFirstElement(
            parts.dataWords[next / Limits.BLOB_CHUNKS], next % Limits.BLOB_CHUNKS, element
        );
        return bytes31(bytes32(element[0:32]) << 8);
    }

    function _nextCalldataRoot(uint32 next, Proof calldata parts) private pure returns (bytes31) {
        if (keccak256(parts.opening.next) != parts.dataWords[next]) revert WrongChunkData(next);
        return Chunk.rootOf(parts.opening.next);
    }

    // --- The witness

    function _load(Header calldata header, LaneContext calldata context, Witness calldata witness)
        private
        view
        returns (Run memory run)
    {
        run.lane = header.lane;
        run.zone = context.zone;
        run.asOf = header.asOf;
        run.evseKeyBytes = EvseDescriptor.P256_KEY_BYTES;
        run.evses = StateTree.load(witness.evses, Limits.P256_EVSE_DESCRIPTOR_BYTES);
        run.contracts = StateTree.load(witness.contracts, Limits.CONTRACT_DESCRIPTOR_BYTES);
        run.laneLeaf = witness.laneLeaf.toLane();
        run.funded = _fundedAt(run.lane, run.asOf, witness.fundingIndex);
        run.period = OPEN;
        _loadTariffs(run, witness);
    }

    function _fundedAt(uint32 lane, uint256 asOf, uint32 index) private view returns (uint256 funded) {
        uint32 next = 0;
        if (index != NONE) {
            bytes32 word = vault.checkpoint(lane, index);
            if (word == 0 || uint256(word) >> 224 > asOf) revert WrongFundingIndex(index);
            funded = uint96(uint256(word) >> 128);
            next = index + 1;
            if (next == NONE) return funded;
        }
        bytes32 later = vault.checkpoint(lane, next);
        if (later != 0 && uint256(later) >> 224 <= asOf) revert WrongFundingIndex(index);
    }

    function _loadTariffs(Run memory run, Witness calldata witness) private view {
        uint256 count = witness.tariffVersions.length;
        if (witness.tariffs.length != count * Limits.TARIFF_BYTES) {
            revert WrongLength("tariffs", witness.tariffs.length);
        }
        run.tariffFrom = new uint256[](count);
        run.tariffTo = new uint256[](count);
        for (uint256 i = 0; i < count; i++) {
            uint32 version = witness.tariffVersions[i];
            if (version == NONE) revert WrongTariff(version);
            if (i > 0 && version <= witness.tariffVersions[i - 1]) revert WrongTariff(version);
            bytes32 word = tariff.versionWord(run.lane, version);
            bytes32 tariffHash = keccak256(_tariff(witness, i));
            if (word == 0 || uint256(word) >> 32 != uint256(tariffHash) >> 32) revert WrongTariff(version);
            run.tariffFrom[i] = uint32(uint256(word));
            bytes32 successor = tariff.versionWord(run.lane, version + 1);
            run.tariffTo[i] = successor == 0 ? OPEN : uint32(uint256(successor));
        }
    }

    // --- The records

    function _decodeP256(Run memory run, bytes memory body) private pure returns (Item[] memory items) {
        items = new Item[](Limits.P256_CHUNK_RECORDS);
        for (uint256 i = 0; i < items.length; i++) {
            items[i].record = Chunk.p256Record(body, i);
        }
        run.items = items;
    }

    /// Fetches the slots of all records at once; registries know only slots in range.
    function _readWords(Run memory run) private view {
        Item[] memory items = run.items;
        uint32[] memory evseSlots = new uint32[](items.length);
        uint32[] memory contractSlots = new uint32[](items.length);
        uint256 evseCount;
        uint256 contractCount;
        for (uint256 i = 0; i < items.length; i++) {
            Record record = items[i].record;
            if (record.isEmpty()) continue;
            if (_inRange(record.evse())) evseSlots[evseCount++] = uint32(record.evse());
            if (_inRange(record.contractSlot())) {
                contractSlots[contractCount++] = uint32(record.contractSlot());
            }
        }
        assembly ("memory-safe") {
            mstore(evseSlots, evseCount)
            mstore(contractSlots, contractCount)
        }
        bytes32[] memory evseWords = registry.evseWords(run.lane, evseSlots);
        bytes32[] memory contractWords = registry.contractWords(run.lane, contractSlots);
        evseCount = 0;
        contractCount = 0;
        for (uint256 i = 0; i < items.length; i++) {
            Item memory item = items[i];
            if (item.record.isEmpty()) continue;
            if (_inRange(item.record.evse())) item.evseWord = evseWords[evseCount++];
            if (_inRange(item.record.contractSlot())) item.contractWord = contractWords[contractCount++];
            item.knownEvse = Settlement.active(item.evseWord, item.record, run.asOf);
        }
    }

    /// Verdicts on the signatures of all records that pass check 1, each under its EVSE's own key. Another scheme would have
    /// its own function here: the record loop asks only for the verdict.
    function _verifyP256(Run memory run, bytes32 domain, Witness calldata witness, bytes memory body)
        private
        view
    {
        for (uint256 i = 0; i < run.items.length; i++) {
            Item memory item = run.items[i];
            if (!item.knownEvse) continue;
            bytes calldata descriptor = _evse(run, witness, item);
            bytes32 digest =
                Domain.digest(domain, item.record, EvseDescriptor.place(descriptor, run.evseKeyBytes));
            (bytes32 r, bytes32 s) = Chunk.p256Signature(body, i);
            item.validSignature =
                P256.verify(digest, r, s, bytes32(descriptor[0:32]), bytes32(descriptor[32:64]));
        }
    }

    /// Moves the lane's position, and everything else if the record settles.
    function _apply(Run memory run, Witness calldata witness, Item memory item) private view {
        Record record = item.record;
        if (record.isEmpty()) return;
        run.laneLeaf.position++;

        // Checks 1 to 6.
        if (!item.knownEvse || !item.validSignature) return;
        EvseLeaf memory evse = run.evses.current(item.evseAt).toEvse();
        uint256 ratedW = EvseDescriptor.ratedW(_evseDescriptor(witness, item.evseAt), run.evseKeyBytes);
        if (Settlement.checkMeasurement(record, evse, ratedW, run.asOf) != Outcome.SETTLED) return;

        // Check 7.
        if (!Settlement.active(item.contractWord, record, run.asOf)) return;
        uint256 contractAt = run.contracts.find(record.contractSlot());
        if (contractAt == StateTree.NOT_FOUND) revert MissingContract(_slot(record.contractSlot()));
        bytes calldata descriptor = _contractDescriptor(witness, contractAt);
        if (!SlotWord.matches(item.contractWord, keccak256(descriptor))) {
            revert WrongDescriptor(_slot(record.contractSlot()));
        }

        uint256 sessionStart = Settlement.sessionStart(record, evse);
        (bool priced, uint256 amount) = _price(run, witness, record, descriptor, record.end() - sessionStart);
        if (!priced) return;

        // Check 11.
        if (run.laneLeaf.spent + amount > run.funded) return;

        run.laneLeaf.spent += amount;
        run.laneLeaf.energyWh += record.energyWh();
        run.laneLeaf.count++;

        evse.lastEnd = record.end();
        evse.sessionStart = sessionStart;
        evse.lastMeterWh = record.meterEndWh();
        evse.count++;
        evse.lastContract = record.contractSlot();
        run.evses.update(item.evseAt, evse.pack());

        ContractLeaf memory credit = run.contracts.current(contractAt).toContract();
        credit.credited += amount;
        credit.energyWh += record.energyWh();
        credit.count++;
        run.contracts.update(contractAt, credit.pack());
    }

    /// Checks 8 to 10, and what the record is worth.
    function _price(
        Run memory run,
        Witness calldata witness,
        Record record,
        bytes calldata descriptor,
        uint256 sessionIntervals
    ) private view returns (bool priced, uint256 amount) {
        _seekPeriod(run, Settlement.period(record));
        if (run.tariffAt == NONE) {
            // Check 8 or 9 fails, whichever: no tariff means no settlement.
            return (false, 0);
        }
        bytes calldata table = _tariff(witness, run.tariffAt);
        uint256 capacityWh = ContractDescriptor.capacityWh(descriptor);
        if (!Settlement.socConsistent(record, capacityWh, TariffTable.toleranceBps(table))) {
            return (false, 0);
        }

        uint256 priceNano = _priceNano(run);
        if (priceNano == 0) return (false, 0);
        uint256 thermalBps = Settlement.thermalBps(record, table);
        if (thermalBps == 0) return (false, 0);

        priced = true;
        amount = Settlement.amount({
            energyWh: record.energyWh(),
            priceNano: priceNano,
            incentiveBps: ContractDescriptor.incentiveBps(descriptor),
            tierBps: TariffTable.tierBps(table, Settlement.averageW(record), sessionIntervals),
            thermalBps_: thermalBps
        });
    }

    /// Finds the tariff of a period among the witness' own, or makes sure that there is none.
    function _seekPeriod(Run memory run, uint256 period) private view {
        if (run.period == period) return;
        run.period = period;
        run.priceKnown = false;
        for (uint256 i = 0; i < run.tariffFrom.length; i++) {
            if (run.tariffFrom[i] <= period && period < run.tariffTo[i]) {
                run.tariffAt = i;
                return;
            }
        }
        bytes32 first = tariff.versionWord(run.lane, 0);
        if (first != 0 && uint32(uint256(first)) <= period) revert MissingTariff(_slot(period));
        run.tariffAt = NONE;
    }

    function _priceNano(Run memory run) private view returns (uint256) {
        if (!run.priceKnown) {
            run.priceNano = tariff.price(run.zone, _slot(run.period));
            run.priceKnown = true;
        }
        return run.priceNano;
    }

    // --- The root

    /// The state root after the records; the same siblings must lead from the leaves before them to `preRoot`.
    function _roots(Run memory run, Witness calldata witness, bytes31 preRoot)
        private
        view
        returns (bytes31)
    {
        (bytes32 evsesBefore, bytes32 evsesAfter) = run.evses.roots(witness.evseSiblings);
        (bytes32 contractsBefore, bytes32 contractsAfter) = run.contracts.roots(witness.contractSiblings);
        bytes31 before = StateTree.stateRoot(evsesBefore, contractsBefore, Sha256.pair(witness.laneLeaf, 0));
        if (before != preRoot) revert WrongPreRoot(preRoot, before);
        return StateTree.stateRoot(evsesAfter, contractsAfter, Sha256.pair(run.laneLeaf.pack(), 0));
    }

    // --- Entries of the witness

    /// The descriptor of a record's EVSE, authenticated by the slot's word.
    function _evse(Run memory run, Witness calldata witness, Item memory item)
        private
        pure
        returns (bytes calldata descriptor)
    {
        uint256 slot = item.record.evse();
        item.evseAt = run.evses.find(slot);
        if (item.evseAt == StateTree.NOT_FOUND) revert MissingEvse(_slot(slot));
        descriptor = _evseDescriptor(witness, item.evseAt);
        if (!SlotWord.matches(item.evseWord, keccak256(descriptor))) revert WrongDescriptor(_slot(slot));
    }

    function _evseDescriptor(Witness calldata witness, uint256 position)
        private
        pure
        returns (bytes calldata)
    {
        return _descriptor(witness.evses, position, Limits.P256_EVSE_DESCRIPTOR_BYTES);
    }

    function _contractDescriptor(Witness calldata witness, uint256 position)
        private
        pure
        returns (bytes calldata)
    {
        return _descriptor(witness.contracts, position, Limits.CONTRACT_DESCRIPTOR_BYTES);
    }

    function _descriptor(bytes calldata entries, uint256 position, uint256 length)
        private
        pure
        returns (bytes calldata)
    {
        uint256 entryEnd = (position + 1) * (StateTree.ENTRY_HEAD_BYTES + length);
        return entries[entryEnd - length:entryEnd];
    }

    function _tariff(Witness calldata witness, uint256 position) private pure returns (bytes calldata) {
        return witness.tariffs[position * Limits.TARIFF_BYTES:(position + 1) * Limits.TARIFF_BYTES];
    }

    function _inRange(uint256 slot) private pure returns (bool) {
        return slot < Limits.MAX_SLOTS;
    }

    /// Slots and periods are read from four bytes.
    function _slot(uint256 value) private pure returns (uint32) {
        // forge-lint: disable-next-line(unsafe-typecast)
        return uint32(value);
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
}
