// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Exhibit, ICourt} from "../../src/interfaces/ICourt.sol";
import {Finding, IFraudVerifier, LaneContext} from "../../src/interfaces/IFraudVerifier.sol";
import {IRollup, Submission} from "../../src/interfaces/IRollup.sol";
import {Header, HeaderLib} from "../../src/protocol/Header.sol";
import {Limits} from "../../src/protocol/Limits.sol";
import {CourtFixture} from "./CourtFixture.sol";

contract ExhibitsTest is CourtFixture {
    Header internal parent;
    Header internal batch;
    uint192 internal record;

    function setUp() public override {
        super.setUp();
        parent = _post(lane);
        _pass(24);
        batch = _post(lane);
        record = _record(1, 0, SPAN, 10_000);
        verifier.find(batch.postRoot, 0, 3, Finding(record, true, 4_000_000, false));
    }

    function test_exhibit_settledRow_isKept() public {
        verifier.expectContext(LaneContext(zone, 0, rollup.domainOf(lane), parent.postRoot));
        bytes32 headerHash = HeaderLib.hash(batch);
        bytes32 id = keccak256(abi.encode(headerHash, uint32(0), uint32(3)));
        vm.expectEmit(address(court));
        emit ICourt.Exhibited(id, lane, 2, headerHash, 0, 3, record, 4_000_000);
        vm.prank(stranger);
        assertEq(court.exhibit(batch, parent, 0, 3, "proof"), id);
        Exhibit memory kept = court.exhibitOf(id);
        assertEq(kept.lane, lane);
        assertEq(kept.index, 2);
        assertEq(kept.evse, 1);
        assertEq(kept.contractSlot, 0);
        assertEq(kept.start, SPAN);
        assertEq(kept.intervals, 20);
        assertEq(kept.energyWh, 10_000);
        assertEq(kept.amount, 4_000_000);
        assertEq(kept.clawed, 0);
        assertEq(kept.finalAt, rollup.requireLive(batch) + Limits.WINDOW_SECONDS);
    }

    function test_exhibit_twice_reverts() public {
        bytes32 id = court.exhibit(batch, parent, 0, 3, "proof");
        vm.expectRevert(abi.encodeWithSelector(ICourt.ExhibitExists.selector, id));
        court.exhibit(batch, parent, 0, 3, "proof");
    }

    function test_exhibit_rowThatDidNotSettle_reverts() public {
        verifier.find(batch.postRoot, 0, 4, Finding(record, false, 0, false));
        vm.expectRevert(abi.encodeWithSelector(ICourt.NotSettled.selector, 4));
        court.exhibit(batch, parent, 0, 4, "proof");
    }

    function test_exhibit_falseChunk_reverts() public {
        verifier.answer(bytes31(uint248(1)), bytes31(uint248(2)));
        vm.expectRevert(
            abi.encodeWithSelector(
                IFraudVerifier.FalseChunk.selector, bytes31(uint248(1)), bytes31(uint248(2))
            )
        );
        court.exhibit(batch, parent, 0, 3, "proof");
    }

    function test_exhibit_otherParent_reverts() public {
        Header memory other = parent;
        other.postRoot = bytes31(uint248(1));
        vm.expectRevert(
            abi.encodeWithSelector(ICourt.WrongParentHeader.selector, batch.parentHash, HeaderLib.hash(other))
        );
        court.exhibit(batch, other, 0, 3, "proof");
    }

    function test_exhibit_fallenBatch_reverts() public {
        _fell(batch);
        vm.expectRevert(abi.encodeWithSelector(IRollup.NotLive.selector, lane, 2));
        court.exhibit(batch, parent, 0, 3, "proof");
    }

    /// Whoever posts a false batch again word for word brings no old exhibit of it back to life, and blocks no new one.
    function test_exhibit_sameHeaderPostedAgain_isMadeAnew() public {
        bytes32 id = court.exhibit(batch, parent, 0, 3, "proof");
        Header memory same = batch;
        _fell(batch);
        assertTrue(rollup.fellSince(lane, 2, court.exhibitOf(id).falls));
        _repost(same);
        assertTrue(rollup.isLive(same));
        assertTrue(rollup.fellSince(lane, 2, court.exhibitOf(id).falls));
        court.exhibit(same, parent, 0, 3, "proof");
        assertFalse(rollup.fellSince(lane, 2, court.exhibitOf(id).falls));
    }

    function test_fellSince_isExact() public {
        assertEq(rollup.fallCount(lane), 0);
        _pass(24);
        Header memory third = _post(lane);
        _fell(third);
        assertEq(rollup.fallCount(lane), 1);
        assertFalse(rollup.fellSince(lane, 2, 0));
        assertTrue(rollup.fellSince(lane, 3, 0));
        assertFalse(rollup.fellSince(lane, 3, 1));
        _fell(parent);
        assertTrue(rollup.fellSince(lane, 2, 0));
        assertTrue(rollup.fellSince(lane, 1, 1));
        assertFalse(rollup.fellSince(lane, 2, 2));
        assertFalse(rollup.fellSince(lane + 1, 2, 0));
    }

    function _repost(Header memory header) private {
        Submission memory submission = _submission(lane, header.chunkCount);
        submission.postRoot = header.postRoot;
        submission.asOf = header.asOf;
        submission.l1Block = header.l1Block;
        submission.l1Hash = header.l1Hash;
        assertEq(HeaderLib.hash(_post(submission)), HeaderLib.hash(header));
    }
}
