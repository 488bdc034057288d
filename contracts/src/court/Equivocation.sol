// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {BlsSignature} from "../bls/BlsSignature.sol";
import {ICourt} from "../interfaces/ICourt.sol";
import {EvseDescriptor} from "../protocol/Descriptor.sol";
import {Domain} from "../protocol/Domain.sol";
import {Limits} from "../protocol/Limits.sol";
import {P256} from "../protocol/P256.sol";
import {Record} from "../protocol/Record.sol";
import {Scheme} from "../protocol/Scheme.sol";

/// @notice Whether one EVSE signed two records that can't both be true (docs/protocol.md §12).
library Equivocation {
    /// @notice Two different records of one EVSE whose spans share an interval. Touching spans don't.
    function requireContradiction(Record first, Record second) internal pure returns (uint32 evse) {
        if (Record.unwrap(first) == Record.unwrap(second)) revert ICourt.SameRecord();
        evse = uint32(first.evse());
        if (second.evse() != evse) revert ICourt.OtherEvse(evse, uint32(second.evse()));
        if (!overlap(first.start(), first.end(), second.start(), second.end())) {
            revert ICourt.NotOverlapping();
        }
    }

    /// @notice Whether [start, end) and [otherStart, otherEnd) share an interval; an empty span shares none.
    function overlap(uint256 start, uint256 end, uint256 otherStart, uint256 otherEnd)
        internal
        pure
        returns (bool)
    {
        return start < end && otherStart < otherEnd && start < otherEnd && otherStart < end;
    }

    /// @notice Reverts unless the key of `descriptor` signed the record.
    function requireSigned(
        uint8 scheme,
        bytes32 domain,
        bytes calldata descriptor,
        Record record,
        bytes calldata signature
    ) internal view {
        bytes8 place = EvseDescriptor.place(descriptor, Scheme.keyBytes(scheme));
        bool signed = scheme == Scheme.BLS
            ? _signedBls(abi.encodePacked(domain, Record.unwrap(record), place), descriptor, signature)
            : _signedP256(Domain.digest(domain, record, place), descriptor, signature);
        if (!signed) revert ICourt.BadSignature(Record.unwrap(record));
    }

    function signatureBytes(uint8 scheme) internal pure returns (uint256) {
        return scheme == Scheme.BLS ? Limits.BLS_SIGNATURE_BYTES : Limits.P256_SIGNATURE_BYTES;
    }

    function _signedP256(bytes32 digest, bytes calldata descriptor, bytes calldata signature)
        private
        view
        returns (bool)
    {
        return P256.verify({
            digest: digest,
            r: bytes32(signature[0:32]),
            s: bytes32(signature[32:64]),
            x: bytes32(descriptor[0:32]),
            y: bytes32(descriptor[32:64])
        });
    }

    function _signedBls(bytes memory message, bytes calldata descriptor, bytes calldata signature)
        private
        view
        returns (bool)
    {
        return BlsSignature.verifyOne(descriptor[:EvseDescriptor.BLS_KEY_BYTES], message, signature);
    }
}
