// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice What a submission reads and writes of a lane, one storage word:
/// operator 160 | tip 48 | tipAsOf 32 | scheme 8 | opened 1.
type LaneHead is uint256;

library LaneHeads {
    uint256 private constant TIP = 0xffffffffffff;
    uint256 private constant AS_OF = 0xffffffff;

    function open(address operator_, uint32 asOf, uint8 scheme_) internal pure returns (LaneHead) {
        return
            LaneHead.wrap(uint256(uint160(operator_)) << 96 | uint256(asOf) << 16 | uint256(scheme_) << 8 | 1);
    }

    function isOpen(LaneHead head) internal pure returns (bool) {
        return LaneHead.unwrap(head) & 1 == 1;
    }

    function operator(LaneHead head) internal pure returns (address) {
        return address(uint160(LaneHead.unwrap(head) >> 96));
    }

    function tip(LaneHead head) internal pure returns (uint64) {
        return uint64((LaneHead.unwrap(head) >> 48) & TIP);
    }

    function tipAsOf(LaneHead head) internal pure returns (uint32) {
        return uint32((LaneHead.unwrap(head) >> 16) & AS_OF);
    }

    function scheme(LaneHead head) internal pure returns (uint8) {
        return uint8(LaneHead.unwrap(head) >> 8);
    }

    /// @param tip_ < 2^48: a batch a second fills that in nine million years
    function withTip(LaneHead head, uint64 tip_, uint32 asOf) internal pure returns (LaneHead) {
        uint256 cleared = LaneHead.unwrap(head) & ~((TIP << 48) | (AS_OF << 16));
        return LaneHead.wrap(cleared | (uint256(tip_) << 48) | (uint256(asOf) << 16));
    }

    function withOperator(LaneHead head, address operator_) internal pure returns (LaneHead) {
        return LaneHead.wrap((LaneHead.unwrap(head) << 160 >> 160) | uint256(uint160(operator_)) << 96);
    }
}
