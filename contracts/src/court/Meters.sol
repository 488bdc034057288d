// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";

import {Exhibit, ICourt, Reading} from "../interfaces/ICourt.sol";
import {IRegistry} from "../interfaces/IRegistry.sol";
import {IRollup} from "../interfaces/IRollup.sol";
import {ContractDescriptor, SlotWord} from "../protocol/Descriptor.sol";
import {Domain} from "../protocol/Domain.sol";
import {Limits} from "../protocol/Limits.sol";
import {P256} from "../protocol/P256.sol";
import {Verdict} from "./Verdict.sol";

/// @notice Whose word counts against a record's: the vehicle's, by its contract's key, and that of a grid meter which the zone
/// certified (docs/protocol.md §15.8).
abstract contract Meters is ICourt, EIP712 {
    using SlotWord for bytes32;

    bytes32 private constant GRID_METER_TYPEHASH = keccak256(
        "GridMeter(uint32 lane,uint32 evse,bytes32 keyX,bytes32 keyY,uint32 fromInterval,uint32 toInterval)"
    );

    IRollup public immutable rollup;
    IRegistry public immutable registry;

    constructor(IRollup rollup_, IRegistry registry_) EIP712("Backfeed", "1") {
        rollup = rollup_;
        registry = registry_;
    }

    /// @notice Reverts unless the meter is one that may speak, and signed the reading for the record's whole span.
    function _requireReading(Exhibit memory record, Reading calldata reading) internal view {
        (bytes32 x, bytes32 y) = reading.source == Verdict.VEHICLE
            ? _vehicleKey(record, reading.credentials)
            : reading.source == Verdict.GRID
                ? _gridMeterKey(record, reading.credentials)
                : _unknownSource(reading.source);
        bytes32 digest = Domain.readingDigest(
            Domain.ofReadings(block.chainid, address(rollup), record.lane),
            record.evse,
            record.start,
            record.intervals,
            reading.energyWh
        );
        if (!P256.verify(digest, reading.r, reading.s, x, y)) revert BadReading(reading.source);
    }

    function _vehicleKey(Exhibit memory record, bytes calldata descriptor)
        private
        view
        returns (bytes32 x, bytes32 y)
    {
        uint32 slot = record.contractSlot;
        if (descriptor.length != Limits.CONTRACT_DESCRIPTOR_BYTES) revert WrongDescriptor(slot);
        if (!registry.contractWord(record.lane, slot).matches(keccak256(descriptor))) {
            revert WrongDescriptor(slot);
        }
        (x, y) = ContractDescriptor.vehicleKey(descriptor);
        if (x == 0 && y == 0) revert NoVehicleKey(slot);
    }

    function _gridMeterKey(Exhibit memory record, bytes calldata credentials)
        private
        view
        returns (bytes32 x, bytes32 y)
    {
        uint32 from;
        uint32 to;
        bytes memory certificate;
        (x, y, from, to, certificate) = abi.decode(credentials, (bytes32, bytes32, uint32, uint32, bytes));
        if (record.start < from || uint256(record.start) + record.intervals > to) {
            revert SpanNotCovered(from, to);
        }
        address certifier = registry.zone(rollup.zoneOf(record.lane)).certifier;
        bytes32 digest = _hashTypedDataV4(
            keccak256(abi.encode(GRID_METER_TYPEHASH, record.lane, record.evse, x, y, from, to))
        );
        if (!SignatureChecker.isValidSignatureNow(certifier, digest, certificate)) {
            revert BadCertificate(record.evse);
        }
    }

    function _unknownSource(uint8 source) private pure returns (bytes32, bytes32) {
        revert UnknownSource(source);
    }
}
