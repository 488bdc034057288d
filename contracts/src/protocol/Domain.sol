// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Record} from "./Record.sol";
import {Sha256} from "./Sha256.sol";

/// @notice What an EVSE signs (docs/protocol.md §4), and what other meters do (§15.8).
library Domain {
    /// @notice Binds a lane's signatures to one chain, rollup and lane.
    function ofLane(uint256 chainId, address rollup, uint32 lane) internal pure returns (bytes32) {
        return sha256(abi.encodePacked("backfeed/1/record", chainId, rollup, lane));
    }

    /// @notice The 64 signed bytes: domain(32) ‖ record(24) ‖ lat i32 ‖ lon i32.
    /// @param place lat ‖ lon as in the EVSE's descriptor
    function message(bytes32 domain, Record record, bytes8 place) internal pure returns (bytes memory) {
        return abi.encodePacked(domain, record, place);
    }

    /// @notice SHA-256 of the signed bytes.
    function digest(bytes32 domain, Record record, bytes8 place) internal view returns (bytes32) {
        return Sha256.pair(domain, bytes32(uint256(Record.unwrap(record)) << 64 | uint64(place)));
    }

    /// @notice Binds a lane's counter-readings to one chain, rollup and lane.
    function ofReadings(uint256 chainId, address rollup, uint32 lane) internal pure returns (bytes32) {
        return sha256(abi.encodePacked("backfeed/1/reading", chainId, rollup, lane));
    }

    /// @notice What a vehicle or a grid meter signs of a discharge.
    function readingDigest(bytes32 domain, uint32 evse, uint32 start, uint8 intervals, uint24 energyWh)
        internal
        pure
        returns (bytes32)
    {
        return sha256(abi.encodePacked(domain, evse, start, intervals, energyWh));
    }
}
