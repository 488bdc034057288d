// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IRollup, Submission} from "../../src/interfaces/IRollup.sol";
import {Header, HeaderLib} from "../../src/protocol/Header.sol";
import {Limits} from "../../src/protocol/Limits.sol";
import {Fixture} from "./Fixture.sol";

contract SubmitBatchTest is Fixture {
    uint256 internal constant CHUNK = 1967;
    address internal constant HISTORY = 0x0000F90827F1C53a10cb7A02335B175320002935;

    function _refused(Submission memory submission, bytes memory data, bytes memory reason) internal {
        vm.prank(operator);
        vm.expectRevert(reason);
        rollup.submitBatch(submission, data);
    }

    // --- What a batch leaves behind

    function test_submitBatch_blobs_storesRingWordAndEmits() public {
        Submission memory submission = _submission(lane, 65);
        bytes32[] memory words = _blobs(2);
        Header memory header = _headerOf(submission, words, operator);
        bytes32 headerHash = keccak256(abi.encode(header));
        vm.expectEmit(address(rollup));
        emit IRollup.BatchSubmitted(lane, 1, headerHash, header, words);
        vm.prank(operator);
        assertEq(rollup.submitBatch(submission, ""), headerHash);
        assertEq(rollup.ringWordAt(lane, 1), HeaderLib.ringWord(headerHash, uint32(_now())));
        assertEq(rollup.lane(lane).tip, 1);
        assertEq(rollup.lane(lane).operator, operator);
        assertEq(rollup.requireLive(header), _now());
        assertFalse(rollup.isFinal(header));
    }

    function test_submitBatch_finality_atEndOfWindow() public {
        Header memory header = _post(lane);
        uint256 finalAt = _now() + Limits.WINDOW_SECONDS;
        vm.warp(finalAt - 1);
        assertFalse(rollup.isFinal(header));
        vm.expectRevert(abi.encodeWithSelector(IRollup.NotFinal.selector, lane, 1, finalAt));
        rollup.requireFinal(header);
        vm.warp(finalAt);
        assertTrue(rollup.isFinal(header));
        rollup.requireFinal(header);
    }

    function test_liveness_forgedHeader_isNotLive() public {
        Header memory header = _post(lane);
        header.postRoot = bytes31(uint248(7));
        assertFalse(rollup.isLive(header));
        vm.expectRevert(abi.encodeWithSelector(IRollup.NotLive.selector, lane, 1));
        rollup.requireLive(header);
        header.lane = 5;
        assertFalse(rollup.isLive(header));
    }

    function test_submitBatch_calldata_hashesEveryChunk() public {
        bytes memory data = new bytes(2 * CHUNK + 31);
        for (uint256 i = 0; i < data.length; ++i) {
            data[i] = bytes1(uint8(i * 31 + i / 256));
        }
        Submission memory submission = _submission(lane, 3);
        submission.dataKind = HeaderLib.CALLDATA;
        bytes32[] memory words = new bytes32[](3);
        words[0] = keccak256(this.slice(data, 0, CHUNK));
        words[1] = keccak256(this.slice(data, CHUNK, 2 * CHUNK));
        words[2] = keccak256(this.slice(data, 2 * CHUNK, data.length));
        Header memory header = _headerOf(submission, words, operator);
        vm.expectEmit(address(rollup));
        emit IRollup.BatchSubmitted(lane, 1, HeaderLib.hash(header), header, words);
        vm.prank(operator);
        rollup.submitBatch(submission, data);
    }

    function slice(bytes calldata data, uint256 from, uint256 to) external pure returns (bytes memory) {
        return data[from:to];
    }

    // --- Who and where

    function test_submitBatch_unknownLane_reverts() public {
        Submission memory submission = _submission(lane, 1);
        submission.lane = 3;
        _refused(submission, "", abi.encodeWithSelector(IRollup.UnknownLane.selector, 3));
    }

    function test_submitBatch_notOperator_reverts() public {
        Submission memory submission = _submission(lane, 1);
        vm.prank(laneOwner);
        vm.expectRevert(abi.encodeWithSelector(IRollup.NotOperator.selector, lane, laneOwner));
        rollup.submitBatch(submission, "");
    }

    function test_submitBatch_bondTooLow_reverts() public {
        address poor = makeAddr("poor");
        _bond(poor, Limits.MIN_BOND_WEI - 1);
        vm.prank(laneOwner);
        rollup.setOperator(lane, poor);
        Submission memory submission = _submission(lane, 1);
        vm.prank(poor);
        vm.expectRevert(
            abi.encodeWithSelector(
                IRollup.BondTooLow.selector, poor, Limits.MIN_BOND_WEI - 1, Limits.MIN_BOND_WEI
            )
        );
        rollup.submitBatch(submission, "");
    }

    function test_submitBatch_bondExiting_reverts() public {
        vm.prank(operator);
        rollup.announceBondExit();
        _refused(_submission(lane, 1), "", abi.encodeWithSelector(IRollup.BondExiting.selector, operator));
    }

    function test_submitBatch_wrongIndex_reverts() public {
        Submission memory submission = _submission(lane, 1);
        submission.index = 2;
        _refused(submission, "", abi.encodeWithSelector(IRollup.WrongIndex.selector, 1, 2));
        submission.index = 0;
        _refused(submission, "", abi.encodeWithSelector(IRollup.WrongIndex.selector, 1, 0));
    }

    function test_submitBatch_wrongParent_reverts() public {
        Submission memory submission = _submission(lane, 1);
        submission.parentHash ^= bytes32(uint256(1) << 32);
        _refused(submission, "", abi.encodeWithSelector(IRollup.WrongParent.selector, submission.parentHash));
    }

    // --- Clock and pinned block

    function test_submitBatch_asOfBeforeParent_reverts() public {
        uint32 parentAsOf = _post(lane).asOf;
        _pass(24);
        Submission memory submission = _submission(lane, 1);
        submission.asOf = parentAsOf - 1;
        _refused(
            submission,
            "",
            abi.encodeWithSelector(IRollup.AsOfBeforeParent.selector, parentAsOf - 1, parentAsOf)
        );
        submission.asOf = parentAsOf;
        _post(submission);
    }

    function test_submitBatch_asOfNotPast_reverts() public {
        Submission memory submission = _submission(lane, 1);
        submission.asOf = uint32(_now());
        _refused(submission, "", abi.encodeWithSelector(IRollup.AsOfNotPast.selector, _now(), _now()));
    }

    function test_submitBatch_asOfTooOld_reverts() public {
        _pass(Limits.AS_OF_MAX_AGE_SECONDS);
        Submission memory submission = _submission(lane, 1);
        submission.asOf = uint32(_now() - Limits.AS_OF_MAX_AGE_SECONDS - 1);
        _refused(submission, "", abi.encodeWithSelector(IRollup.AsOfTooOld.selector, submission.asOf, _now()));
        submission.asOf += 1;
        _post(submission);
    }

    function test_submitBatch_pinnedBlockNotOnChain_reverts() public {
        Submission memory submission = _submission(lane, 1);
        submission.l1Hash = keccak256("another chain");
        bytes memory reason = abi.encodeWithSelector(
            IRollup.PinnedBlockNotOnChain.selector, submission.l1Block, submission.l1Hash
        );
        _refused(submission, "", reason);
    }

    function test_submitBatch_pinnedBlockUnknown_zeroHashReverts() public {
        Submission memory submission = _submission(lane, 1);
        submission.l1Hash = 0;
        uint64[3] memory unknown = [uint64(block.number), uint64(block.number + 1), type(uint64).max];
        for (uint256 i = 0; i < unknown.length; ++i) {
            submission.l1Block = unknown[i];
            _refused(
                submission,
                "",
                abi.encodeWithSelector(IRollup.PinnedBlockNotOnChain.selector, unknown[i], bytes32(0))
            );
        }
    }

    function test_submitBatch_pinnedBlockByHistoryContract_accepted() public {
        // Runtime code of EIP-2935.
        vm.etch(
            HISTORY,
            hex"3373fffffffffffffffffffffffffffffffffffffffe14604657602036036042575f35600143038111604257611fff81430311604257611fff9006545f5260205ff35b5f5ffd5b5f35611fff60014303065500"
        );
        uint256 old = block.number - 4000;
        vm.store(HISTORY, bytes32(old % 8191), keccak256("old block"));
        Submission memory submission = _submission(lane, 1);
        submission.l1Block = uint64(old);
        submission.l1Hash = keccak256("old block");
        _post(submission);

        submission = _submission(lane, 1);
        submission.l1Block = uint64(old);
        submission.l1Hash = keccak256("wrong");
        _refused(
            submission,
            "",
            abi.encodeWithSelector(IRollup.PinnedBlockNotOnChain.selector, old, submission.l1Hash)
        );
    }

    // --- Data

    function test_submitBatch_noChunks_reverts() public {
        _refused(_submission(lane, 0), "", abi.encodeWithSelector(IRollup.NoChunks.selector));
    }

    function test_submitBatch_unknownDataKind_reverts() public {
        Submission memory submission = _submission(lane, 1);
        submission.dataKind = 2;
        _refused(submission, "", abi.encodeWithSelector(IRollup.UnknownDataKind.selector, 2));
    }

    function test_submitBatch_wrongBlobCount_reverts() public {
        _blobs(1);
        _refused(_submission(lane, 65), "", abi.encodeWithSelector(IRollup.WrongBlobCount.selector, 2));
        _blobs(2);
        _refused(_submission(lane, 64), "", abi.encodeWithSelector(IRollup.WrongBlobCount.selector, 1));
        _refused(
            _submission(lane, type(uint32).max),
            "",
            abi.encodeWithSelector(IRollup.WrongBlobCount.selector, 67_108_864)
        );
        vm.blobhashes(new bytes32[](0));
        _refused(_submission(lane, 1), "", abi.encodeWithSelector(IRollup.WrongBlobCount.selector, 1));
    }

    function test_submitBatch_blobsWithCalldata_reverts() public {
        _blobs(1);
        _refused(_submission(lane, 1), "x", abi.encodeWithSelector(IRollup.UnexpectedCalldata.selector));
    }

    function test_submitBatch_calldataWithBlob_reverts() public {
        _blobs(1);
        Submission memory submission = _submission(lane, 1);
        submission.dataKind = HeaderLib.CALLDATA;
        _refused(submission, new bytes(31), abi.encodeWithSelector(IRollup.WrongBlobCount.selector, 0));
    }

    function test_submitBatch_calldataLength_boundsAreExact() public {
        Submission memory submission = _submission(lane, 2);
        submission.dataKind = HeaderLib.CALLDATA;
        uint256[4] memory lengths = [CHUNK + 30, CHUNK + 31, 2 * CHUNK, 2 * CHUNK + 1];
        for (uint256 i = 0; i < lengths.length; ++i) {
            uint256 state = vm.snapshotState();
            vm.prank(operator);
            if (i == 0 || i == 3) {
                vm.expectRevert(abi.encodeWithSelector(IRollup.WrongDataLength.selector, lengths[i], 2));
            }
            rollup.submitBatch(submission, new bytes(lengths[i]));
            vm.revertToState(state);
        }
    }

    /// preRoot 31, aggregate 192, 64 records of 24.
    function test_submitBatch_blsCalldata_hasItsOwnLength() public {
        vm.prank(laneOwner);
        uint32 blsLane = rollup.openLane(zone, operator, 1);
        headers[blsLane].push(_genesis(blsLane, uint32(_now())));
        _pass(60);
        Submission memory submission = _submission(blsLane, 2);
        submission.dataKind = HeaderLib.CALLDATA;
        uint256 full = 1759;
        uint256[4] memory lengths = [full + 30, full + 31, 2 * full, 2 * full + 1];
        for (uint256 i = 0; i < lengths.length; ++i) {
            bytes memory data = new bytes(lengths[i]);
            data[full - 1] = 0x01;
            data[full] = 0x02;
            bytes32[] memory words = new bytes32[](2);
            words[0] = keccak256(this.slice(data, 0, full));
            words[1] = keccak256(this.slice(data, full, data.length));
            uint256 state = vm.snapshotState();
            bool refused = i == 0 || i == 3;
            if (refused) {
                vm.expectRevert(abi.encodeWithSelector(IRollup.WrongDataLength.selector, lengths[i], 2));
            }
            vm.prank(operator);
            bytes32 headerHash = rollup.submitBatch(submission, data);
            if (!refused) assertEq(headerHash, HeaderLib.hash(_headerOf(submission, words, operator)));
            vm.revertToState(state);
        }
    }

    function testFuzz_submitBatch_blobCount_isCeiling(uint256 chunks, uint256 blobs) public {
        chunks = bound(chunks, 1, 384);
        blobs = bound(blobs, 1, 6);
        _blobs(blobs);
        Submission memory submission = _submission(lane, uint32(chunks));
        vm.prank(operator);
        if (blobs != (chunks + 63) / 64) {
            vm.expectRevert(abi.encodeWithSelector(IRollup.WrongBlobCount.selector, (chunks + 63) / 64));
        }
        rollup.submitBatch(submission, "");
    }

    // --- The ring

    /// Puts the lane at `tip` with ring words of the age `age(index)`; only the tip's hash matters to a submission.
    function _atTip(uint64 tip, uint256 oldestLeftAt) internal {
        bytes32 base = _laneSlot();
        Header memory header = _genesis(lane, uint32(_now() - 60));
        header.index = tip;
        uint256 head = uint256(vm.load(address(rollup), base));
        head = (head & ~(uint256(0xffffffffffff) << 48)) | uint256(tip) << 48;
        vm.store(address(rollup), base, bytes32(head));
        _setRing(tip, HeaderLib.ringWord(HeaderLib.hash(header), uint32(_now() - 60)));
        // Posting tip + 1 leaves tip + 2 − 65 536 as the oldest.
        _setRing(tip + 2, HeaderLib.ringWord(keccak256("oldest"), uint32(oldestLeftAt)));
        headers[lane].push(header);
    }

    function _setRing(uint64 index, bytes32 word) internal {
        vm.store(address(rollup), bytes32(uint256(_laneSlot()) + 3 + index % 65_536), word);
        assertEq(rollup.ringWordAt(lane, index), word, "ring layout");
    }

    /// Base slot of the lane's struct: found, so that the test doesn't lean on the order of declarations.
    function _laneSlot() internal view returns (bytes32) {
        for (uint256 mappingSlot = 0; mappingSlot < 8; ++mappingSlot) {
            bytes32 base = keccak256(abi.encode(lane, mappingSlot));
            if (address(uint160(uint256(vm.load(address(rollup), base)) >> 96)) == operator) return base;
        }
        revert AssertionFailed("lane not found");
    }

    function test_submitBatch_ringWouldHoldNoFinal_reverts() public {
        _atTip(70_000, _now() - Limits.WINDOW_SECONDS + 1);
        _blobs(1);
        _refused(_submission(lane, 1), "", abi.encodeWithSelector(IRollup.RingFull.selector, 70_001));
        _pass(1);
        _post(lane);
        assertEq(rollup.lane(lane).tip, 70_001);
    }

    function test_submitBatch_firstLap_neverFull() public {
        _atTip(65_534, _now());
        _post(lane);
        assertEq(rollup.lane(lane).tip, 65_535);
        // Now genesis would go, and batch 1 be the oldest left.
        _setRing(65_537, HeaderLib.ringWord(keccak256("batch 1"), uint32(_now())));
        _blobs(1);
        _refused(_submission(lane, 1), "", abi.encodeWithSelector(IRollup.RingFull.selector, 65_536));
    }

    function test_submitBatch_fallenBatchesInRing_doNotBlock() public {
        _atTip(70_000, _now() - Limits.WINDOW_SECONDS);
        Header memory first = _post(lane);
        _setRing(70_003, HeaderLib.ringWord(keccak256("older"), uint32(_now() - Limits.WINDOW_SECONDS)));
        _post(lane);
        Header memory parent = headers[lane][headers[lane].length - 3];
        _prove(first, parent);
        _bond(operator, Limits.SLASH_WEI);
        // The slot of 70 002 now holds a young word, but of the fallen batch 70 002.
        _post(lane);
        _post(lane);
        assertEq(rollup.lane(lane).tip, 70_002);
        _setRing(70_004, HeaderLib.ringWord(keccak256("young"), uint32(_now())));
        _blobs(1);
        _refused(_submission(lane, 1), "", abi.encodeWithSelector(IRollup.RingFull.selector, 70_003));
    }
}
