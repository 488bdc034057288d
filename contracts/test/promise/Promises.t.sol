// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IPromises, PromiseEvidence, Receipt} from "../../src/interfaces/IPromises.sol";
import {IRollup} from "../../src/interfaces/IRollup.sol";
import {Header} from "../../src/protocol/Header.sol";
import {Limits} from "../../src/protocol/Limits.sol";
import {PromiseFixture} from "./PromiseFixture.sol";

contract PromisesTest is PromiseFixture {
    address internal constant BURN = 0x000000000000000000000000000000000000dEaD;

    function _break(Receipt memory receipt, Header memory header, Header memory parent, bytes memory reason)
        internal
    {
        _break(receipt, header, parent, _evidence(FIRST), reason);
    }

    function _break(
        Receipt memory receipt,
        Header memory header,
        Header memory parent,
        PromiseEvidence memory evidence,
        bytes memory reason
    ) internal {
        (uint256 before,) = rollup.bondOf(operator);
        vm.prank(prover);
        if (reason.length != 0) vm.expectRevert(reason);
        promises.brokenPromise(receipt, header, parent, evidence);
        (uint256 left,) = rollup.bondOf(operator);
        assertEq(before - left, reason.length == 0 ? Limits.SLASH_WEI : 0, "slashed");
    }

    function _kept(uint64 position) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IPromises.PromiseKept.selector, position);
    }

    function _notCovered(uint64 position) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IPromises.NotCovered.selector, position);
    }

    // --- Broken

    function test_brokenPromise_otherRecord_slashesOnce() public {
        bytes[] memory rows = _rows(RECORDS);
        Receipt memory receipt = _receipt(rows, 2, operatorKey);
        assertEq(promises.signerOf(receipt), operator);
        rows[2] = _row(99);
        (Header memory header, Header memory parent) = _postRows(FIRST, rows);

        uint256 half = Limits.SLASH_WEI / 2;
        vm.expectEmit(address(rollup));
        emit IRollup.BondSlashed(operator, Limits.SLASH_WEI, half, half);
        vm.expectEmit(address(promises));
        emit IPromises.PromiseBroken(lane, FIRST + 2, operator, prover, half);
        _break(receipt, header, parent, "");
        assertEq(prover.balance, half);
        assertEq(BURN.balance, half);
        assertTrue(promises.slashed(_id(receipt)));

        _break(
            receipt, header, parent, abi.encodeWithSelector(IPromises.AlreadySlashed.selector, _id(receipt))
        );
        // The same promise under another encoding of the receipt: the digest is what counts.
        _sign(receipt, operatorKey);
        _break(
            receipt, header, parent, abi.encodeWithSelector(IPromises.AlreadySlashed.selector, _id(receipt))
        );
    }

    function test_brokenPromise_otherSignature() public {
        bytes[] memory rows = _rows(RECORDS);
        Receipt memory receipt = _receipt(rows, 0, operatorKey);
        bytes memory row = bytes.concat(rows[0]);
        row[87] = bytes1(uint8(row[87]) ^ 1);
        rows[0] = row;
        (Header memory header, Header memory parent) = _postRows(FIRST, rows);
        _break(receipt, header, parent, "");
    }

    function test_brokenPromise_swappedOrDropped() public {
        bytes[] memory rows = _rows(RECORDS);
        Receipt memory first = _receipt(rows, 3, operatorKey);
        Receipt memory second = _receipt(rows, 4, operatorKey);
        bytes[] memory swapped = _rows(RECORDS);
        (swapped[3], swapped[4]) = (rows[4], rows[3]);
        (Header memory header, Header memory parent) = _postRows(FIRST, swapped);
        uint256 state = vm.snapshotState();
        _break(first, header, parent, "");
        _break(second, header, parent, "");
        (uint256 bond,) = rollup.bondOf(operator);
        assertEq(bond, Limits.MIN_BOND_WEI - 2 * Limits.SLASH_WEI);

        // A dropped record moves those behind it; the place of the last is not covered any more.
        assertTrue(vm.revertToState(state));
        verifier.holdChunk(0, _body(_without(rows, 3)));
        _break(first, header, parent, "");
        _break(second, header, parent, _notCovered(FIRST + 4));
    }

    function test_brokenPromise_laterChunk_opensByElementZero() public {
        bytes[] memory rows = _rows(RECORDS);
        Receipt memory receipt = _receipt(rows, 4, operatorKey);
        Header memory header = _postAs(operator);
        PromiseEvidence memory evidence = _evidence(FIRST + 3);
        evidence.chunk = 1;
        bytes[] memory posted = new bytes[](2);
        (posted[0], posted[1]) = (_row(50), _row(51));
        verifier.holdChunk(_stateRoot(FIRST + 3), _body(posted));
        _break(receipt, header, header, evidence, "");

        receipt = _receipt(rows, 3, operatorKey);
        posted[0] = rows[3];
        verifier.holdChunk(_stateRoot(FIRST + 3), _body(posted));
        _break(receipt, header, header, evidence, _kept(FIRST + 3));
    }

    function test_brokenPromise_microBatchOfOne() public {
        bytes[] memory rows = _rows(1);
        Receipt memory receipt = _receipt(rows, 0, operatorKey);
        assertEq(receipt.path.length, 0);
        (Header memory header, Header memory parent) = _postRows(FIRST, rows);
        _break(receipt, header, parent, _kept(FIRST));
        rows[0] = _row(1);
        verifier.holdChunk(0, _body(rows));
        _break(receipt, header, parent, "");
    }

    function testFuzz_brokenPromise_exactlyWhenTheRowDiffers(
        uint256 count,
        uint256 i,
        uint256 gap,
        uint256 bent
    ) public {
        count = bound(count, 1, 9);
        i = bound(i, 0, count - 1);
        gap = bound(gap, 0, 22 - count);
        bent = bound(bent, 0, count - 1);
        bytes[] memory rows = _rows(count);
        Receipt memory receipt = _receipt(rows, i, operatorKey);
        // Empty records anywhere count for nothing.
        bytes[] memory posted = new bytes[](count + gap);
        for (uint256 k = 0; k < posted.length; ++k) {
            posted[k] = k < bent ? rows[k] : k < bent + gap ? new bytes(88) : rows[k - gap];
        }
        (Header memory header, Header memory parent) = _postRows(FIRST, posted);
        _break(receipt, header, parent, _kept(FIRST + uint64(i)));
        posted[bent + gap] = _row(1000);
        verifier.holdChunk(0, _body(posted));
        _break(receipt, header, parent, i == bent ? bytes("") : _kept(FIRST + uint64(i)));
    }

    // --- Kept, or not to be told

    function test_brokenPromise_keptPromises_revert() public {
        bytes[] memory rows = _rows(RECORDS);
        (Header memory header, Header memory parent) = _postRows(FIRST, rows);
        for (uint256 i = 0; i < RECORDS; ++i) {
            Receipt memory receipt = _receipt(rows, i, operatorKey);
            _break(receipt, header, parent, _kept(receipt.position));
        }
    }

    function test_brokenPromise_chunkElsewhere_reverts() public {
        bytes[] memory rows = _rows(RECORDS);
        Receipt memory receipt = _receipt(rows, 2, operatorKey);
        (Header memory before, Header memory beforeParent) = _postRows(FIRST - 2, _rows(4));
        _break(receipt, before, beforeParent, _evidence(FIRST - 2), _notCovered(FIRST + 2));
        (Header memory behind, Header memory behindParent) = _postRows(FIRST + 3, _rows(4));
        _break(receipt, behind, behindParent, _evidence(FIRST + 3), _notCovered(FIRST + 2));
    }

    function test_brokenPromise_forcedChunk_coversNone() public {
        Receipt memory receipt = _receipt(_rows(RECORDS), 0, operatorKey);
        (Header memory header, Header memory parent) = _postRows(FIRST, _rows(1));
        verifier.holdChunk(0, _body(_without(_rows(RECORDS), 0)));
        // No such batch is live; the chunk is refused before its data is looked at.
        vm.mockCall(
            address(rollup), abi.encodeWithSelector(IRollup.requireLive.selector), abi.encode(uint32(1))
        );
        header.forcedChunks = 1;
        _break(receipt, header, parent, _notCovered(FIRST));
        vm.clearMockedCalls();
    }

    function test_brokenPromise_lyingPreRoot_reverts() public {
        bytes[] memory rows = _rows(RECORDS);
        Receipt memory receipt = _receipt(rows, 1, operatorKey);
        (Header memory header, Header memory parent) = _postRows(FIRST, rows);
        // One position further on, the promised row would seem to be another.
        _break(
            receipt,
            header,
            parent,
            _evidence(FIRST + 1),
            abi.encodeWithSelector(IPromises.WrongPreRoot.selector, _stateRoot(FIRST), _stateRoot(FIRST + 1))
        );
    }

    function test_brokenPromise_otherParent_reverts() public {
        bytes[] memory rows = _rows(RECORDS);
        Receipt memory receipt = _receipt(rows, 1, operatorKey);
        (Header memory header, Header memory parent) = _postRows(FIRST, rows);
        parent.postRoot = _stateRoot(FIRST + 1);
        _break(
            receipt,
            header,
            parent,
            _evidence(FIRST + 1),
            abi.encodeWithSelector(IRollup.WrongParentHeader.selector, header.parentHash, _hash(parent))
        );
    }

    // --- The batch

    function test_brokenPromise_anothersBatch_onlyWhenFinal() public {
        bytes[] memory rows = _rows(RECORDS);
        Receipt memory receipt = _receipt(rows, 1, operatorKey);
        Header memory parent = _postRoot(lane, _stateRoot(FIRST));
        _pass(24);
        address successor = makeAddr("successor");
        _bond(successor, Limits.MIN_BOND_WEI);
        Header memory header = _postAs(successor);
        verifier.holdChunk(0, _body(_without(rows, 0)));
        uint256 finalAt = _now() + Limits.WINDOW_SECONDS;
        bytes memory notFinal =
            abi.encodeWithSelector(IRollup.NotFinal.selector, lane, header.index, uint64(finalAt));
        _break(receipt, header, parent, notFinal);
        vm.warp(finalAt - 1);
        _break(receipt, header, parent, notFinal);
        vm.warp(finalAt);
        _break(receipt, header, parent, "");
    }

    function test_brokenPromise_fallenOrUnknownBatch_reverts() public {
        bytes[] memory rows = _rows(RECORDS);
        Receipt memory receipt = _receipt(rows, 1, operatorKey);
        (Header memory header, Header memory parent) = _postRows(FIRST, _without(rows, 0));
        _prove(header, parent);
        _break(receipt, header, parent, abi.encodeWithSelector(IRollup.NotLive.selector, lane, header.index));
        header = parent;
        header.postRoot = 0;
        _break(receipt, header, parent, abi.encodeWithSelector(IRollup.NotLive.selector, lane, header.index));
    }

    function test_brokenPromise_foreignLane_reverts() public {
        bytes[] memory rows = _rows(RECORDS);
        Receipt memory receipt = _receipt(rows, 1, operatorKey);
        uint32 mine = lane;
        lane = _openLane();
        _pass(60);
        (Header memory header, Header memory parent) = _postRows(FIRST, _without(rows, 0));
        _break(receipt, header, parent, abi.encodeWithSelector(IPromises.WrongLane.selector, mine, lane));
        // Saying that it is the other lane's is another message, that nobody with a bond signed.
        receipt.lane = lane;
        vm.prank(prover);
        vm.expectRevert();
        promises.brokenPromise(receipt, header, parent, _evidence(FIRST));
    }

    // --- The receipt

    function test_brokenPromise_expired_reverts() public {
        bytes[] memory rows = _rows(RECORDS);
        Receipt memory receipt = _receipt(rows, 1, operatorKey);
        (Header memory header, Header memory parent) = _postRows(FIRST, _without(rows, 0));
        uint256 expiresAt = receipt.time + Limits.PROMISE_SECONDS;
        vm.warp(expiresAt);
        _break(receipt, header, parent, abi.encodeWithSelector(IPromises.ReceiptExpired.selector, expiresAt));
        vm.warp(expiresAt - 1);
        _break(receipt, header, parent, "");
    }

    function test_brokenPromise_bentReceipts_revert() public {
        bytes[] memory rows = _rows(RECORDS);
        (Header memory header, Header memory parent) = _postRows(FIRST, _without(rows, 0));
        bytes memory bad = abi.encodeWithSelector(IPromises.BadReceipt.selector);
        for (uint256 kind = 0; kind < 9; ++kind) {
            Receipt memory receipt = _receipt(rows, 1, operatorKey);
            if (kind == 0) receipt.row[3] = bytes1(uint8(receipt.row[3]) ^ 1);
            if (kind == 1) receipt.path[1] = bytes32(uint256(receipt.path[1]) ^ 1);
            if (kind == 2) receipt.position += 1;
            if (kind == 3) receipt.path = new bytes32[](0);
            if (kind == 4) receipt.count = 9;
            if (kind == 5) receipt.signature = bytes.concat(receipt.signature, hex"00");
            if (kind == 6) receipt.signature = _highS(receipt.signature);
            if (kind == 7) receipt.row = bytes.concat(receipt.row, new bytes(1));
            if (kind == 8) receipt.firstPosition += 1;
            _break(receipt, header, parent, bad);
        }
        Receipt memory outside = _receipt(rows, 1, operatorKey);
        outside.position = FIRST + RECORDS;
        _break(
            outside,
            header,
            parent,
            abi.encodeWithSelector(IPromises.PositionOutOfRange.selector, outside.position)
        );
    }

    function test_brokenPromise_bentSignedFields_nameAnotherSigner() public {
        bytes[] memory rows = _rows(RECORDS);
        (Header memory header, Header memory parent) = _postRows(FIRST, _without(rows, 0));
        for (uint256 kind = 0; kind < 2; ++kind) {
            Receipt memory receipt = _receipt(rows, 1, operatorKey);
            if (kind == 0) receipt.time += 1;
            // Padded alike up to 8: only the signature tells.
            if (kind == 1) receipt.count = 6;
            assertTrue(promises.signerOf(receipt) != operator);
            vm.prank(prover);
            vm.expectRevert();
            promises.brokenPromise(receipt, header, parent, _evidence(FIRST));
        }
    }

    function test_brokenPromise_signerWithoutBond_reverts() public {
        bytes[] memory rows = _rows(RECORDS);
        (address nobody, uint256 key) = makeAddrAndKey("nobody");
        Receipt memory receipt = _receipt(rows, 1, key);
        (Header memory header, Header memory parent) = _postRows(FIRST, _without(rows, 0));
        _pass(Limits.WINDOW_SECONDS);
        _break(receipt, header, parent, abi.encodeWithSelector(IRollup.NoBond.selector, nobody));
    }

    function test_slashForPromise_onlyPromises() public {
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(IRollup.NotPromises.selector, stranger));
        rollup.slashForPromise(operator, payable(stranger));
    }

    function _highS(bytes memory signature) internal pure returns (bytes memory) {
        uint256 order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;
        (bytes32 r, uint256 s) = (bytes32(0), 0);
        assembly ("memory-safe") {
            r := mload(add(signature, 0x20))
            s := mload(add(signature, 0x40))
        }
        uint8 v = uint8(signature[64]) == 27 ? 28 : 27;
        return abi.encodePacked(r, order - s, v);
    }
}
