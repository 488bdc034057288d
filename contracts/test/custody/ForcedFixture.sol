// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Submission} from "../../src/interfaces/IRollup.sol";
import {Domain} from "../../src/protocol/Domain.sol";
import {Header, HeaderLib} from "../../src/protocol/Header.sol";
import {Limits} from "../../src/protocol/Limits.sol";
import {Enrolment} from "./Enrolment.sol";

/// @notice A lane with one EVSE whose records can be forced, and submissions that take them.
abstract contract ForcedFixture is Enrolment {
    uint256 internal constant EVSE_KEY = 77;
    /// lat 52.52°, lon −179.9999999°: `_evse`'s.
    bytes8 internal constant PLACE = bytes8(abi.encodePacked(int32(525_200_000), int32(-1_799_999_999)));

    bytes internal descriptor;
    address internal payer;
    /// Entry words by count, computed here from the formula; [0] is zero.
    bytes32[] internal words;

    function setUp() public virtual override {
        super.setUp();
        descriptor = _evse(EVSE_KEY, 0);
        _register(descriptor);
        payer = makeAddr("payer");
        vm.deal(payer, 100 ether);
        words.push(0);
    }

    /// @notice Some record of EVSE 0.
    function _record(uint256 seed) internal pure returns (bytes24) {
        return bytes24(abi.encodePacked(uint32(0), uint160(uint256(keccak256(abi.encode(seed))))));
    }

    function _sign(uint256 key, uint32 lane_, bytes24 record) internal view returns (bytes memory) {
        bytes32 domain = Domain.ofLane(block.chainid, address(rollup), lane_);
        (bytes32 r, bytes32 s) = vm.signP256(key, sha256(abi.encodePacked(domain, record, PLACE)));
        return abi.encodePacked(r, s);
    }

    function _force(uint256 seed) internal returns (uint64 index) {
        bytes24 record = _record(seed);
        vm.prank(payer);
        index = forcedQueue.forceRecord{value: Limits.FORCE_FEE_WEI}(
            lane, record, descriptor, _sign(EVSE_KEY, lane, record)
        );
        bytes32 hash = keccak256(bytes.concat(words[index], record));
        words.push(bytes32((uint256(hash) >> 32 << 32) | _now()));
    }

    function _forceMany(uint256 count) internal {
        for (uint256 i = 0; i < count; ++i) {
            _force(words.length);
        }
    }

    /// @notice A submission that takes the queue's entries up to `forcedEnd`.
    function _taking(uint64 forcedEnd, uint32 chunks) internal view returns (Submission memory submission) {
        submission = _submission(lane, chunks);
        submission.forcedEnd = forcedEnd;
    }

    /// @notice Posts it and expects just this header.
    function _postTaking(address submitter, Submission memory submission)
        internal
        returns (Header memory header)
    {
        Header memory parent = _tip(lane);
        header = _headerOf(submission, _blobs((submission.chunkCount + 63) / 64), submitter);
        header.forcedStart = parent.forcedEnd;
        header.forcedStartHash = words[parent.forcedEnd];
        header.forcedEnd = submission.forcedEnd;
        header.forcedEndHash = words[submission.forcedEnd];
        header.forcedChunks = (uint32(submission.forcedEnd - parent.forcedEnd) + 21) / 22;
        vm.prank(submitter);
        bytes32 headerHash = rollup.submitBatch(submission, "");
        assertEq(headerHash, HeaderLib.hash(header), "header hash");
        headers[lane].push(header);
    }

    function _refused(address submitter, Submission memory submission, bytes memory reason) internal {
        _blobs(1);
        vm.prank(submitter);
        vm.expectRevert(reason);
        rollup.submitBatch(submission, "");
    }
}
