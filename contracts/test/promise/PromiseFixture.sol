// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {PromiseEvidence, Receipt} from "../../src/interfaces/IPromises.sol";
import {Submission} from "../../src/interfaces/IRollup.sol";
import {Header, HeaderLib} from "../../src/protocol/Header.sol";
import {Fixture} from "../custody/Fixture.sol";
import {TestTree} from "../custody/TestTree.sol";

/// @notice Receipts over rows of one's own making, and batches that hold whatever rows.
abstract contract PromiseFixture is Fixture {
    bytes32 internal constant EVSE_ROOT = keccak256("some EVSE root");
    bytes32 internal constant CONTRACT_ROOT = keccak256("some contract root");
    uint64 internal constant FIRST = 1000;
    uint32 internal constant RECORDS = 5;

    uint256 internal operatorKey = uint256(keccak256("operator"));

    // --- Receipts

    function _row(uint256 i) internal pure returns (bytes memory) {
        return abi.encodePacked(bytes24(keccak256(abi.encode("record", i))), keccak256(abi.encode("r", i)), i);
    }

    function _rows(uint256 count) internal pure returns (bytes[] memory rows) {
        rows = new bytes[](count);
        for (uint256 i = 0; i < count; ++i) {
            rows[i] = _row(i);
        }
    }

    /// @notice The receipt of row `i`; rows are the micro-batch's, from FIRST on.
    function _receipt(bytes[] memory rows, uint256 i, uint256 key)
        internal
        view
        returns (Receipt memory receipt)
    {
        bytes32[] memory leaves = new bytes32[](rows.length);
        for (uint256 k = 0; k < rows.length; ++k) {
            leaves[k] = _leaf(rows[k]);
        }
        receipt.lane = lane;
        receipt.firstPosition = FIRST;
        receipt.count = uint32(rows.length);
        receipt.time = uint32(_now());
        receipt.position = FIRST + uint64(i);
        receipt.row = rows[i];
        (receipt.root, receipt.path) = _walk(leaves, i);
        _sign(receipt, key);
    }

    function _sign(Receipt memory receipt, uint256 key) internal view {
        receipt.signature = signPacked(key, _digest(receipt));
    }

    /// @notice EIP-712, written out on its own.
    function _digest(Receipt memory receipt) internal view returns (bytes32) {
        bytes32 separator = keccak256(
            abi.encode(
                keccak256(
                    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
                ),
                keccak256("Backfeed"),
                keccak256("1"),
                block.chainid,
                address(rollup)
            )
        );
        bytes32 type_ =
            keccak256("MicroBatch(uint32 lane,uint64 firstPosition,uint32 count,uint32 time,bytes32 root)");
        bytes32 struct_ = keccak256(
            abi.encode(type_, receipt.lane, receipt.firstPosition, receipt.count, receipt.time, receipt.root)
        );
        return keccak256(abi.encodePacked("\x19\x01", separator, struct_));
    }

    function _leaf(bytes memory row) internal pure returns (bytes32) {
        bytes memory padded = bytes.concat(row, new bytes((row.length > 128 ? 256 : 128) - row.length));
        bytes32[] memory words = new bytes32[](padded.length / 32);
        for (uint256 i = 0; i < words.length; ++i) {
            assembly ("memory-safe") {
                mstore(add(add(words, 0x20), mul(i, 0x20)), mload(add(add(padded, 0x20), mul(i, 0x20))))
            }
        }
        (bytes32 root,) = _walk(words, 0);
        return root;
    }

    function _walk(bytes32[] memory leaves, uint256 index)
        internal
        pure
        returns (bytes32 root, bytes32[] memory path)
    {
        uint256 levels = 0;
        while (uint256(1) << levels < leaves.length) ++levels;
        path = new bytes32[](levels);
        bytes32[] memory nodes = new bytes32[](uint256(1) << levels);
        for (uint256 i = 0; i < leaves.length; ++i) {
            nodes[i] = leaves[i];
        }
        for (uint256 level = 0; level < levels; ++level) {
            path[level] = nodes[index ^ 1];
            bytes32[] memory above = new bytes32[](nodes.length / 2);
            for (uint256 i = 0; i < above.length; ++i) {
                above[i] = TestTree.pair(nodes[2 * i], nodes[2 * i + 1]);
            }
            (nodes, index) = (above, index / 2);
        }
        root = nodes[0];
    }

    // --- Batches

    function _laneLeaf(uint64 position) internal pure returns (bytes32) {
        return bytes32(uint256(77) << 160 | uint256(1_000_000) << 96 | uint256(9) << 48 | position);
    }

    function _stateRoot(uint64 position) internal pure returns (bytes31) {
        bytes32 lanes = TestTree.pair(_laneLeaf(position), 0);
        return bytes31(TestTree.pair(TestTree.pair(EVSE_ROOT, CONTRACT_ROOT), lanes));
    }

    function _body(bytes[] memory rows) internal pure returns (bytes memory body) {
        for (uint256 i = 0; i < rows.length; ++i) {
            body = bytes.concat(body, rows[i]);
        }
        body = bytes.concat(body, new bytes(1953 - body.length));
    }

    function _evidence(uint64 position) internal pure returns (PromiseEvidence memory evidence) {
        evidence.evseRoot = EVSE_ROOT;
        evidence.contractRoot = CONTRACT_ROOT;
        evidence.laneLeaf = _laneLeaf(position);
        evidence.proof = "proof";
    }

    /// @notice A batch whose parent leaves the lane at `position` and whose chunk 0 holds `rows`.
    function _postRows(uint64 position, bytes[] memory rows)
        internal
        returns (Header memory header, Header memory parent)
    {
        parent = _postRoot(lane, _stateRoot(position));
        _pass(24);
        header = _post(lane);
        verifier.holdChunk(bytes31(keccak256("ignored in chunk 0")), _body(rows));
    }

    function _postAs(address who) internal returns (Header memory header) {
        vm.prank(laneOwner);
        rollup.setOperator(lane, who);
        Submission memory submission = _submission(lane, 2);
        header = _headerOf(submission, _blobs(1), who);
        vm.prank(who);
        rollup.submitBatch(submission, "");
        headers[lane].push(header);
    }

    function _without(bytes[] memory rows, uint256 i) internal pure returns (bytes[] memory rest) {
        rest = new bytes[](rows.length - 1);
        for (uint256 k = 0; k < rest.length; ++k) {
            rest[k] = rows[k < i ? k : k + 1];
        }
    }

    function _id(Receipt memory receipt) internal view returns (bytes32) {
        return keccak256(abi.encode(_digest(receipt), receipt.position));
    }

    function _hash(Header memory header) internal pure returns (bytes32) {
        return HeaderLib.hash(header);
    }
}
