// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IRegistry, Zone} from "../interfaces/IRegistry.sol";

/// @notice Zones and their roles. Opening one is free: a zone is worth what its operator's certificates and money are.
abstract contract Zones is IRegistry {
    uint32 public zoneCount;
    mapping(uint32 id => Zone) private _zones;

    function openZone(address publisher, address certifier) external returns (uint32 id) {
        id = zoneCount++;
        _zones[id] = Zone(msg.sender, address(0), publisher, certifier);
        emit ZoneOpened(id, msg.sender, publisher, certifier);
    }

    function setZoneRoles(uint32 id, address publisher, address certifier) external {
        Zone storage owned = _ownedZone(id);
        owned.publisher = publisher;
        owned.certifier = certifier;
        emit ZoneRolesChanged(id, publisher, certifier);
    }

    function proposeZoneOperator(uint32 id, address pendingOperator) external {
        _ownedZone(id).pendingOperator = pendingOperator;
        emit ZoneOperatorProposed(id, pendingOperator);
    }

    function acceptZoneOperator(uint32 id) external {
        Zone storage offered = _openZone(id);
        if (msg.sender != offered.pendingOperator) revert NotPendingOperator(id, msg.sender);
        offered.operator = msg.sender;
        offered.pendingOperator = address(0);
        emit ZoneOperatorChanged(id, msg.sender);
    }

    function zone(uint32 id) external view returns (Zone memory) {
        return _zones[id];
    }

    function _certifierOf(uint32 id) internal view returns (address) {
        return _zones[id].certifier;
    }

    function _openZone(uint32 id) private view returns (Zone storage opened) {
        if (id >= zoneCount) revert UnknownZone(id);
        return _zones[id];
    }

    function _ownedZone(uint32 id) private view returns (Zone storage owned) {
        owned = _openZone(id);
        if (msg.sender != owned.operator) revert NotZoneOperator(id, msg.sender);
    }
}
