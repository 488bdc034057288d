// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IRollup} from "../interfaces/IRollup.sol";

/// @notice Which batches fell, kept for as long as anybody may ask: the ring forgets a batch when a later one takes its word, and
/// then can't tell one that fell from one that was final.
abstract contract Falls is IRollup {
    /// The index that each rollback of a lane began at, in their order.
    mapping(uint32 lane => uint64[]) private _falls;

    function fallCount(uint32 lane) external view returns (uint32) {
        return uint32(_falls[lane].length);
    }

    function fellSince(uint32 lane, uint64 index, uint32 count) external view returns (bool) {
        uint64[] storage falls = _falls[lane];
        // Each of them cost a bond, or at least a whole fraud proof.
        for (uint256 i = falls.length; i > count; --i) {
            if (falls[i - 1] <= index) return true;
        }
        return false;
    }

    function _recordFall(uint32 lane, uint64 index) internal {
        _falls[lane].push(index);
    }
}
