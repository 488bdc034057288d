// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {LaneContext} from "../../src/interfaces/IFraudVerifier.sol";
import {BlsSigner} from "../bls/BlsSigner.sol";
import {RandomRecords} from "./RandomRecords.sol";
import {EvseFacts, Plain} from "./ReferenceLane.sol";

/// @notice The same world as a BLS lane.
abstract contract BlsFixture is RandomRecords {
    function _evseDescriptor(EvseFacts memory facts) internal view override returns (bytes memory) {
        return abi.encodePacked(
            BlsSigner.key(facts.key), facts.ratedW, facts.lat, facts.lon, uint16(50), uint64(1e6)
        );
    }

    function _context() internal view override returns (LaneContext memory) {
        return LaneContext({zone: ZONE, scheme: 1, domain: DOMAIN, parentRoot: lane.stateRoot()});
    }

    function _body(Plain[] memory records) internal view override returns (bytes memory) {
        return bytes.concat(_aggregate(records), _records(records));
    }

    /// One bad signature spoils the chunk for all records that are in its aggregate.
    function _judged(Plain[] memory records) internal view override returns (Plain[] memory judged) {
        judged = new Plain[](records.length);
        bool valid = true;
        for (uint256 i = 0; i < records.length; i++) {
            if (_known(records[i]) && !records[i].signatureValid) valid = false;
        }
        for (uint256 i = 0; i < records.length; i++) {
            judged[i] = records[i];
            judged[i].signatureValid = valid;
        }
    }

    /// What the sequencer would post: the sum over the records that pass check 1.
    function _aggregate(Plain[] memory records) internal view returns (bytes memory) {
        uint256[] memory secrets = new uint256[](records.length);
        bytes[] memory messages = new bytes[](records.length);
        uint256 count;
        for (uint256 i = 0; i < records.length; i++) {
            if (!_known(records[i])) continue;
            EvseFacts memory facts = _facts(records[i]);
            secrets[count] = records[i].signatureValid ? facts.key : facts.key + 1;
            messages[count++] = abi.encodePacked(DOMAIN, _encoded(records[i]), facts.lat, facts.lon);
        }
        assembly ("memory-safe") {
            mstore(secrets, count)
            mstore(messages, count)
        }
        return BlsSigner.sign(secrets, messages);
    }

    function _records(Plain[] memory records) internal pure returns (bytes memory all) {
        for (uint256 i = 0; i < records.length; i++) {
            all = bytes.concat(all, _encoded(records[i]));
        }
    }

    function _encoded(Plain memory r) internal pure returns (bytes memory) {
        return abi.encodePacked(
            r.evse, r.contractSlot, r.start, r.intervals, r.energyWh, r.meterEndWh, r.socDrop, r.tempC
        );
    }

    /// Check 1, which an empty record does not come to.
    function _known(Plain memory r) internal view returns (bool) {
        bytes memory record = _encoded(r);
        if (keccak256(record) == keccak256(new bytes(24))) return false;
        EvseFacts memory facts = _facts(r);
        uint256 end = uint256(r.start) + r.intervals;
        return facts.activeFrom != 0 && facts.activeFrom <= AS_OF && facts.activeFrom <= uint256(r.start) * 15
            && end * 15 <= facts.endsAt;
    }

    /// All zero for a slot that is empty.
    function _facts(Plain memory r) internal view returns (EvseFacts memory facts) {
        for (uint256 i = 0; i < evses.length; i++) {
            if (evses[i].slot == r.evse) return evses[i];
        }
    }
}
