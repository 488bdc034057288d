// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Record} from "./Record.sol";

/// @notice chunk = preRoot ‖ body (docs/protocol.md §7, §15.3). Decoding is total: any bytes are a chunk.
library Chunk {
    uint256 internal constant ROOT_BYTES = 31;
    /// 63 elements of 31 bytes.
    uint256 internal constant BODY_BYTES = 1953;
    /// record 24 ‖ signature 64
    uint256 private constant P256_STRIDE = 88;
    uint256 private constant BLS_AGGREGATE_BYTES = 192;
    uint256 private constant BLS_STRIDE = 24;

    /// @notice A cell's 64 elements of 32 bytes, each without its top byte.
    function fromCell(bytes calldata cell) internal pure returns (bytes31 preRoot, bytes memory body) {
        body = _blankBody();
        assembly ("memory-safe") {
            // A store's last byte is 0 and falls on the first of the next element; after the last element it falls
            // into the padding that _blankBody keeps.
            let target := add(body, 0x20)
            let source := cell.offset
            preRoot := shl(8, calldataload(source))
            for { let i := 1 } lt(i, 64) { i := add(i, 1) } {
                source := add(source, 0x20)
                mstore(target, shl(8, calldataload(source)))
                target := add(target, 31)
            }
        }
    }

    /// @notice A calldata chunk, decoded as if it were padded with zeros; bytes that no record takes are ignored.
    function fromBytes(bytes calldata chunk) internal pure returns (bytes31 preRoot, bytes memory body) {
        body = _blankBody();
        preRoot = rootOf(chunk);
        if (chunk.length <= ROOT_BYTES) return (preRoot, body);
        uint256 length = chunk.length - ROOT_BYTES;
        if (length > BODY_BYTES) length = BODY_BYTES;
        assembly ("memory-safe") {
            calldatacopy(add(body, 0x20), add(chunk.offset, ROOT_BYTES), length)
        }
    }

    /// @notice The first 31 bytes of a calldata chunk.
    function rootOf(bytes calldata chunk) internal pure returns (bytes31) {
        // A slice that is shorter than its type is padded with zeros.
        return bytes31(chunk.length < ROOT_BYTES ? chunk : chunk[:ROOT_BYTES]);
    }

    /// @notice Record `i` < 22 of a P-256 chunk.
    function p256Record(bytes memory body, uint256 i) internal pure returns (Record record) {
        assembly ("memory-safe") {
            record := shr(64, mload(add(add(body, 0x20), mul(i, P256_STRIDE))))
        }
    }

    /// @notice Signature `i` < 22 of a P-256 chunk.
    function p256Signature(bytes memory body, uint256 i) internal pure returns (bytes32 r, bytes32 s) {
        assembly ("memory-safe") {
            let signature := add(add(body, 0x38), mul(i, P256_STRIDE))
            r := mload(signature)
            s := mload(add(signature, 0x20))
        }
    }

    /// @notice Record `i` < 64 of a BLS chunk.
    function blsRecord(bytes memory body, uint256 i) internal pure returns (Record record) {
        assembly ("memory-safe") {
            record := shr(64, mload(add(add(body, add(0x20, BLS_AGGREGATE_BYTES)), mul(i, BLS_STRIDE))))
        }
    }

    /// @notice The aggregate at the head of a BLS chunk, 192 bytes.
    function blsAggregate(bytes memory body) internal pure returns (bytes memory aggregate) {
        aggregate = new bytes(BLS_AGGREGATE_BYTES);
        assembly ("memory-safe") {
            mcopy(add(aggregate, 0x20), add(body, 0x20), BLS_AGGREGATE_BYTES)
        }
    }

    /// Zeroed, with 31 bytes to spare after the last one.
    function _blankBody() private pure returns (bytes memory body) {
        body = new bytes(BODY_BYTES + 31);
        assembly ("memory-safe") {
            mstore(body, BODY_BYTES)
        }
    }
}
