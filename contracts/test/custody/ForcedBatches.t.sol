// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IRollup, Submission} from "../../src/interfaces/IRollup.sol";
import {EntryWord} from "../../src/protocol/EntryWord.sol";
import {Header, HeaderLib} from "../../src/protocol/Header.sol";
import {Limits} from "../../src/protocol/Limits.sol";
import {ForcedFixture} from "./ForcedFixture.sol";

/// @notice What a batch must take of the queue, and who else may post it.
contract ForcedBatchesTest is ForcedFixture {
    uint256 internal constant CHUNK = 1967;
    address internal helper;

    function setUp() public override {
        super.setUp();
        helper = makeAddr("helper");
        _bond(helper, Limits.MIN_BOND_WEI);
    }

    // --- Taking entries

    function test_submitBatch_takesEntries_headerAndPointer() public {
        _forceMany(25);
        _pass(12);
        Header memory header = _postTaking(operator, _taking(23, 4));
        assertEq(header.forcedChunks, 2);
        assertEq(rollup.lane(lane).forcedEnd, 23);
        assertEq(rollup.lane(lane).owner, laneOwner);
        assertEq(rollup.zoneOf(lane), zone);
        _pass(12);
        header = _postTaking(operator, _taking(23, 1));
        assertEq(header.forcedStart, 23);
        assertEq(header.forcedChunks, 0);
        _pass(12);
        _postTaking(operator, _taking(25, 1));
        assertEq(rollup.lane(lane).forcedEnd, 25);
    }

    function testFuzz_submitBatch_forcedChunks_areCeiling(uint256 entries) public {
        entries = bound(entries, 1, 60);
        _forceMany(60);
        _pass(12);
        uint32 chunks = uint32((entries + 21) / 22);
        Submission memory submission = _taking(uint64(entries), chunks - 1);
        if (chunks > 1) {
            bytes memory reason =
                abi.encodeWithSelector(IRollup.TooManyForcedChunks.selector, chunks, chunks - 1);
            _refused(operator, submission, reason);
        }
        submission.chunkCount = chunks;
        assertEq(_postTaking(operator, submission).forcedChunks, chunks);
    }

    function test_submitBatch_at192Entries_mostAreTaken() public {
        _forceMany(194);
        _pass(12);
        Submission memory submission = _taking(193, 20);
        _refused(
            operator, submission, abi.encodeWithSelector(IRollup.TooManyForcedEntries.selector, 193, 192)
        );
        submission.forcedEnd = 192;
        assertEq(_postTaking(operator, submission).forcedChunks, 9);
    }

    function test_submitBatch_behindOrBeyondQueue_reverts() public {
        _forceMany(2);
        _pass(12);
        _refused(operator, _taking(3, 1), abi.encodeWithSelector(IRollup.NoForcedEntry.selector, 3));
        _postTaking(operator, _taking(2, 1));
        _pass(12);
        _refused(operator, _taking(1, 1), abi.encodeWithSelector(IRollup.ForcedEndBehind.selector, 1, 2));
    }

    /// A batch dated before an entry could take a record before its end, and lose it for good.
    function test_submitBatch_clockBehindEntry_reverts() public {
        _force(1);
        uint256 queuedAt = _now();
        _pass(60);
        Submission memory submission = _taking(1, 1);
        submission.asOf = uint32(queuedAt - 1);
        bytes memory reason =
            abi.encodeWithSelector(IRollup.ForcedEntryAhead.selector, queuedAt - 1, queuedAt);
        _refused(operator, submission, reason);
        submission.asOf = uint32(queuedAt);
        _postTaking(operator, submission);
    }

    function test_submitBatch_calldata_forcedChunksAreBareRoots() public {
        _forceMany(23);
        _pass(12);
        Submission memory submission = _taking(23, 4);
        submission.dataKind = HeaderLib.CALLDATA;
        uint256 fewest = 2 * 31 + CHUNK + 31;
        uint256 most = 2 * 31 + 2 * CHUNK;
        _calldataLengths(submission, fewest, most);
        submission.chunkCount = 2;
        _calldataLengths(submission, 62, 62);

        bytes memory data = abi.encodePacked(bytes31(uint248(1)), bytes31(uint248(2)));
        bytes32[] memory hashes = new bytes32[](2);
        hashes[0] = keccak256(abi.encodePacked(bytes31(uint248(1))));
        hashes[1] = keccak256(abi.encodePacked(bytes31(uint248(2))));
        Header memory header = _headerOf(submission, hashes, operator);
        header.forcedEnd = 23;
        header.forcedEndHash = words[23];
        header.forcedChunks = 2;
        vm.blobhashes(new bytes32[](0));
        vm.prank(operator);
        assertEq(rollup.submitBatch(submission, data), HeaderLib.hash(header));
    }

    function _calldataLengths(Submission memory submission, uint256 fewest, uint256 most) internal {
        vm.blobhashes(new bytes32[](0));
        uint256[4] memory lengths = [fewest - 1, fewest, most, most + 1];
        for (uint256 i = 0; i < 4; ++i) {
            uint256 state = vm.snapshotState();
            vm.prank(operator);
            if (i == 0 || i == 3) {
                vm.expectRevert(
                    abi.encodeWithSelector(
                        IRollup.WrongDataLength.selector, lengths[i], submission.chunkCount
                    )
                );
            }
            rollup.submitBatch(submission, new bytes(lengths[i]));
            vm.revertToState(state);
        }
    }

    // --- Entries that are due

    function test_submitBatch_leavesDueEntry_reverts() public {
        _force(1);
        uint256 queuedAt = _now();
        _pass(100);
        _force(2);
        vm.warp(queuedAt + Limits.FORCED_DUE_SECONDS);
        uint256 state = vm.snapshotState();
        _postTaking(operator, _taking(0, 1));
        vm.revertToState(state);

        vm.warp(queuedAt + Limits.FORCED_DUE_SECONDS + 1);
        bytes memory due = abi.encodeWithSelector(IRollup.ForcedEntryDue.selector, 0, queuedAt);
        _refused(operator, _taking(0, 1), due);
        _postTaking(operator, _taking(1, 1));
        // The second one's time has not come.
        _pass(12);
        _postTaking(operator, _taking(1, 1));
        _pass(100);
        due = abi.encodeWithSelector(IRollup.ForcedEntryDue.selector, 1, EntryWord.queuedAt(words[2]));
        _refused(operator, _taking(1, 1), due);
    }

    function test_submitBatch_moreDueThanABatchTakes_192suffice() public {
        _forceMany(200);
        uint256 queuedAt = _now();
        _pass(Limits.FORCED_DUE_SECONDS + 60);
        bytes memory due = abi.encodeWithSelector(IRollup.ForcedEntryDue.selector, 191, queuedAt);
        _refused(operator, _taking(191, 20), due);
        _postTaking(operator, _taking(192, 20));
        _pass(12);
        due = abi.encodeWithSelector(IRollup.ForcedEntryDue.selector, 199, queuedAt);
        _refused(operator, _taking(199, 1), due);
        _postTaking(operator, _taking(200, 1));
    }

    function test_submitBatch_otherLanesEntries_bindNobody() public {
        _force(1);
        uint32 other = _openLane();
        _pass(Limits.FORCED_DUE_SECONDS + 60);
        _post(other);
        assertEq(rollup.lane(other).forcedEnd, 0);
    }

    // --- Others than the operator

    function test_submitBatch_foreign_onlyOnceAnEntryWaited24h() public {
        _force(1);
        uint256 queuedAt = _now();
        _pass(60);
        bytes memory notYet = abi.encodeWithSelector(IRollup.NotOperator.selector, lane, helper);
        _refused(helper, _taking(1, 1), notYet);
        vm.warp(queuedAt + Limits.FORCED_OPEN_SECONDS);
        _refused(helper, _taking(1, 1), notYet);
        vm.warp(queuedAt + Limits.FORCED_OPEN_SECONDS + 1);
        Header memory header = _postTaking(helper, _taking(1, 1));
        assertEq(header.submitter, helper);
        assertEq(rollup.lane(lane).operator, operator);
        _pass(12);
        _refused(helper, _taking(1, 1), notYet);
        _force(2);
        _pass(60);
        _refused(helper, _taking(2, 1), notYet);
        _postTaking(operator, _taking(1, 1));
    }

    function test_submitBatch_foreign_nothingButForcedChunks() public {
        _forceMany(30);
        _pass(Limits.FORCED_OPEN_SECONDS + 60);
        _refused(helper, _taking(30, 3), abi.encodeWithSelector(IRollup.NotForcedOnly.selector, 2, 3));
        // What is due binds others too.
        bytes memory due =
            abi.encodeWithSelector(IRollup.ForcedEntryDue.selector, 0, EntryWord.queuedAt(words[1]));
        _refused(helper, _taking(0, 1), due);
        _postTaking(helper, _taking(30, 2));
    }

    function test_submitBatch_foreignWithoutBond_reverts() public {
        _force(1);
        _pass(Limits.FORCED_OPEN_SECONDS + 60);
        bytes memory reason =
            abi.encodeWithSelector(IRollup.BondTooLow.selector, stranger, 0, Limits.MIN_BOND_WEI);
        _refused(stranger, _taking(1, 1), reason);
        vm.prank(helper);
        rollup.announceBondExit();
        _refused(helper, _taking(1, 1), abi.encodeWithSelector(IRollup.BondExiting.selector, helper));
    }

    function test_submitBatch_operatorLeaving_foreignMay() public {
        _force(1);
        _pass(60);
        vm.prank(operator);
        rollup.announceBondExit();
        _postTaking(helper, _taking(1, 1));
        _pass(12);
        // Nothing is left to take, and that is all that others may post.
        _refused(helper, _taking(1, 1), abi.encodeWithSelector(IRollup.NotForcedOnly.selector, 0, 1));
    }

    function test_submitBatch_operatorUnbonded_foreignMay() public {
        _force(1);
        _pass(60);
        uint256 state = vm.snapshotState();
        address poor = makeAddr("poor");
        _bond(poor, Limits.MIN_BOND_WEI - 1);
        vm.prank(laneOwner);
        rollup.setOperator(lane, poor);
        _postTaking(helper, _taking(1, 1));
        vm.revertToState(state);
        vm.prank(laneOwner);
        rollup.setOperator(lane, address(0));
        _postTaking(helper, _taking(1, 1));
    }

    // --- Rollbacks

    function test_proveFraud_takesThePointerBack() public {
        _forceMany(30);
        _pass(12);
        Header memory first = _postTaking(operator, _taking(10, 1));
        _pass(12);
        Header memory bad = _postTaking(operator, _taking(20, 1));
        _pass(12);
        _postTaking(operator, _taking(30, 1));
        assertEq(rollup.lane(lane).forcedEnd, 30);
        _prove(bad, first);
        assertEq(rollup.lane(lane).forcedEnd, 10);
        _bond(operator, Limits.SLASH_WEI);
        _postTaking(operator, _taking(30, 1));
        assertEq(rollup.lane(lane).forcedEnd, 30);
    }

    function test_proveFraud_foreignBatch_slashesItsSubmitter() public {
        _force(1);
        _pass(Limits.FORCED_OPEN_SECONDS + 60);
        Header memory bad = _postTaking(helper, _taking(1, 1));
        (uint256 before,) = rollup.bondOf(operator);
        _prove(bad, headers[lane][0]);
        (uint256 bond,) = rollup.bondOf(helper);
        assertEq(bond, Limits.MIN_BOND_WEI - Limits.SLASH_WEI);
        (bond,) = rollup.bondOf(operator);
        assertEq(bond, before);
        assertEq(rollup.lane(lane).forcedEnd, 0);
    }
}
