// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {BlsSignature} from "../bls/BlsSignature.sol";
import {IForcedQueue} from "../interfaces/IForcedQueue.sol";
import {IRegistry} from "../interfaces/IRegistry.sol";
import {IRollup} from "../interfaces/IRollup.sol";
import {EvseDescriptor, SlotWord} from "../protocol/Descriptor.sol";
import {Domain} from "../protocol/Domain.sol";
import {EntryWord} from "../protocol/EntryWord.sol";
import {Limits} from "../protocol/Limits.sol";
import {P256} from "../protocol/P256.sol";
import {Record} from "../protocol/Record.sol";
import {Scheme} from "../protocol/Scheme.sol";

/// @notice Records that L1 makes a lane take (docs/protocol.md §10, §15.6).
contract ForcedQueue is IForcedQueue {
    struct Queue {
        uint64 length;
        /// Entry word n at n; there is no word 0. A mapping, so that reading one word is one storage read.
        mapping(uint64 count => bytes32) words;
    }

    address private constant BURN = 0x000000000000000000000000000000000000dEaD;

    IRollup public immutable rollup;
    IRegistry public immutable registry;

    mapping(uint32 lane => Queue) private _queues;

    constructor(IRollup rollup_, IRegistry registry_) {
        rollup = rollup_;
        registry = registry_;
    }

    /// @inheritdoc IForcedQueue
    function forceRecord(uint32 lane, bytes24 record, bytes calldata descriptor, bytes calldata signature)
        external
        payable
        returns (uint64 index)
    {
        if (msg.value != Limits.FORCE_FEE_WEI) revert WrongFee(msg.value, Limits.FORCE_FEE_WEI);
        uint8 scheme = rollup.schemeOf(lane);
        _requireSigned(lane, scheme, Record.wrap(uint192(record)), descriptor, signature);

        Queue storage queue = _queues[lane];
        index = queue.length;
        bytes32 word = EntryWord.next(queue.words[index], record, uint32(block.timestamp));
        queue.words[index + 1] = word;
        queue.length = index + 1;
        emit RecordForced(lane, index, record, uint32(block.timestamp), word, msg.sender);

        (bool burned,) = BURN.call{value: msg.value}("");
        if (!burned) revert FeeNotBurned();
    }

    function length(uint32 lane) external view returns (uint64) {
        return _queues[lane].length;
    }

    function wordAt(uint32 lane, uint64 count) external view returns (bytes32) {
        return _queues[lane].words[count];
    }

    function wordsAround(uint32 lane, uint64 start, uint64 end)
        external
        view
        returns (bytes32 startWord, bytes32 endWord, bytes32 nextWord)
    {
        mapping(uint64 => bytes32) storage words = _queues[lane].words;
        if (start != 0) startWord = words[start];
        endWord = end == start ? startWord : words[end];
        nextWord = words[end + 1];
    }

    /// A slot's key never changes, so what is verified here need not be verified when a batch takes the record.
    function _requireSigned(
        uint32 lane,
        uint8 scheme,
        Record record,
        bytes calldata descriptor,
        bytes calldata signature
    ) private view {
        if (record.isEmpty()) revert EmptyRecord();
        uint32 slot = uint32(record.evse());
        bytes32 slotWord = registry.evseWord(lane, slot);
        if (slotWord == 0) revert SlotEmpty(slot);
        if (!SlotWord.matches(slotWord, keccak256(descriptor))) revert WrongDescriptor(slot);

        bytes32 domain = Domain.ofLane(block.chainid, address(rollup), lane);
        bytes8 place = EvseDescriptor.place(descriptor, Scheme.keyBytes(scheme));
        bool valid = scheme == Scheme.P256
            ? _verifyP256(Domain.digest(domain, record, place), descriptor, signature)
            : BlsSignature.verifyOne(
                descriptor[0:BlsSignature.KEY_BYTES],
                abi.encodePacked(domain, Record.unwrap(record), place),
                signature
            );
        if (!valid) revert BadSignature();
    }

    function _verifyP256(bytes32 digest, bytes calldata descriptor, bytes calldata signature)
        private
        view
        returns (bool)
    {
        if (signature.length != Limits.P256_SIGNATURE_BYTES) return false;
        return P256.verify({
            digest: digest,
            r: bytes32(signature[0:32]),
            s: bytes32(signature[32:64]),
            x: bytes32(descriptor[0:32]),
            y: bytes32(descriptor[32:64])
        });
    }
}
