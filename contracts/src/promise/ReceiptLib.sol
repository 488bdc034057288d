// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Receipt} from "../interfaces/IPromises.sol";
import {Limits} from "../protocol/Limits.sol";
import {Sha256} from "../protocol/Sha256.sol";

/// @notice What a receipt signs and proves (docs/protocol.md §15.9); protocol/receipt.ts is its twin.
library ReceiptLib {
    bytes32 private constant TYPE_HASH =
        keccak256("MicroBatch(uint32 lane,uint64 firstPosition,uint32 count,uint32 time,bytes32 root)");
    bytes32 private constant DOMAIN_TYPE_HASH =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    uint256 private constant P256_WORDS = 4;
    uint256 private constant BLS_WORDS = 8;

    /// @notice keccak256 of the EIP-712 domain, with the rollup as the verifying contract.
    function domainSeparator(address rollup) internal view returns (bytes32) {
        return keccak256(
            abi.encode(
                DOMAIN_TYPE_HASH, keccak256(bytes("Backfeed")), keccak256(bytes("1")), block.chainid, rollup
            )
        );
    }

    /// @notice What the lane's operator signed.
    function digest(Receipt calldata receipt, bytes32 separator) internal pure returns (bytes32) {
        bytes32 struct_ = keccak256(
            abi.encode(
                TYPE_HASH, receipt.lane, receipt.firstPosition, receipt.count, receipt.time, receipt.root
            )
        );
        return keccak256(abi.encodePacked(hex"1901", separator, struct_));
    }

    function covers(Receipt calldata receipt) internal pure returns (bool) {
        return receipt.position >= receipt.firstPosition
            && receipt.position < uint256(receipt.firstPosition) + receipt.count;
    }

    /// @notice Whether the row lies at its position under the root. `covers` holds.
    function holdsRow(Receipt calldata receipt) internal view returns (bool) {
        bytes32[] calldata path = receipt.path;
        uint256 index = uint256(receipt.position) - receipt.firstPosition;
        uint256 levels = 0;
        while (uint256(1) << levels < receipt.count) levels++;
        if (path.length != levels) return false;
        uint256 words = receipt.row.length == _rowBytes(Limits.P256_SIGNATURE_BYTES)
            ? P256_WORDS
            : receipt.row.length == _rowBytes(Limits.BLS_SIGNATURE_BYTES) ? BLS_WORDS : 0;
        if (words == 0) return false;

        bytes32 node = _leaf(receipt.row, words);
        for (uint256 level = 0; level < levels; level++) {
            node = (index >> level) & 1 == 0 ? Sha256.pair(node, path[level]) : Sha256.pair(path[level], node);
        }
        return node == receipt.root;
    }

    /// Root of the row's words, zero-padded to `words`, a power of two.
    function _leaf(bytes calldata row, uint256 words) private view returns (bytes32) {
        bytes32[] memory nodes = new bytes32[](words);
        assembly ("memory-safe") {
            calldatacopy(add(nodes, 0x20), row.offset, row.length)
        }
        for (; words > 1; words /= 2) {
            for (uint256 i = 0; i < words / 2; i++) {
                nodes[i] = Sha256.pair(nodes[2 * i], nodes[2 * i + 1]);
            }
        }
        return nodes[0];
    }

    function _rowBytes(uint256 signatureBytes) private pure returns (uint256) {
        return Limits.RECORD_BYTES + signatureBytes;
    }
}
