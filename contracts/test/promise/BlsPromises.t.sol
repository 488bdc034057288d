// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Finding} from "../../src/interfaces/IFraudVerifier.sol";
import {IPromises, PromiseEvidence, Receipt} from "../../src/interfaces/IPromises.sol";
import {Header} from "../../src/protocol/Header.sol";
import {Limits} from "../../src/protocol/Limits.sol";
import {PromiseFixture} from "./PromiseFixture.sol";

/// @notice Promises on a BLS lane: a chunk holds records and one aggregate, so a row's own signature is nowhere on L1.
contract BlsPromisesTest is PromiseFixture {
    function setUp() public override {
        super.setUp();
        vm.prank(laneOwner);
        lane = rollup.openLane(zone, operator, 1);
        headers[lane].push(_genesis(lane, uint32(_now())));
        _pass(60);
    }

    function _blsRow(uint256 i) internal pure returns (bytes memory) {
        return bytes.concat(bytes24(keccak256(abi.encode("record", i))), new bytes(160), abi.encode(i));
    }

    function _blsRows() internal pure returns (bytes[] memory rows) {
        rows = new bytes[](RECORDS);
        for (uint256 i = 0; i < RECORDS; ++i) {
            rows[i] = _blsRow(i);
        }
    }

    function _postRecords(bytes[] memory rows) internal returns (Header memory header, Header memory parent) {
        (header, parent) = _postRows(FIRST, new bytes[](0));
        bytes memory body = new bytes(192);
        for (uint256 i = 0; i < rows.length; ++i) {
            body = bytes.concat(body, bytes24(rows[i]));
        }
        verifier.holdChunk(0, bytes.concat(body, new bytes(1953 - body.length)));
        verifier.answer(header.postRoot, header.postRoot);
    }

    function _break(
        Receipt memory receipt,
        Header memory header,
        Header memory parent,
        bool spoiled,
        bytes memory reason
    ) internal {
        PromiseEvidence memory evidence = _evidence(FIRST);
        evidence.spoiled = spoiled;
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

    function test_brokenPromise_otherRecord() public {
        bytes[] memory rows = _blsRows();
        Receipt memory receipt = _receipt(rows, 3, operatorKey);
        rows[3] = _blsRow(77);
        (Header memory header, Header memory parent) = _postRecords(rows);
        _break(receipt, header, parent, false, "");
    }

    function test_brokenPromise_swappedRecords() public {
        bytes[] memory rows = _blsRows();
        Receipt memory receipt = _receipt(rows, 1, operatorKey);
        (rows[1], rows[2]) = (rows[2], rows[1]);
        (Header memory header, Header memory parent) = _postRecords(rows);
        _break(receipt, header, parent, false, "");
    }

    function test_brokenPromise_keptRecords_revert() public {
        bytes[] memory rows = _blsRows();
        (Header memory header, Header memory parent) = _postRecords(rows);
        for (uint256 i = 0; i < RECORDS; ++i) {
            _break(_receipt(rows, i, operatorKey), header, parent, false, _kept(FIRST + uint64(i)));
        }
    }

    function test_brokenPromise_aggregateThatDoesNotVerify() public {
        bytes[] memory rows = _blsRows();
        (Header memory header, Header memory parent) = _postRecords(rows);
        verifier.find(header.postRoot, 0, 2, Finding(uint192(bytes24(rows[2])), false, 0, true));
        Receipt memory receipt = _receipt(rows, 2, operatorKey);
        // Whoever does not ask for a re-execution gets none.
        _break(receipt, header, parent, false, _kept(FIRST + 2));
        _break(receipt, header, parent, true, "");
    }

    function test_brokenPromise_goodAggregate_reverts() public {
        bytes[] memory rows = _blsRows();
        (Header memory header, Header memory parent) = _postRecords(rows);
        // Not settled, for whatever reason but its signature: a no-op is no broken promise.
        verifier.find(header.postRoot, 0, 2, Finding(uint192(bytes24(rows[2])), false, 0, false));
        _break(_receipt(rows, 2, operatorKey), header, parent, true, _kept(FIRST + 2));
    }

    function test_brokenPromise_rowOfTheOtherScheme_reverts() public {
        bytes[] memory rows = _rows(RECORDS);
        (Header memory header, Header memory parent) = _postRecords(_blsRows());
        bytes memory reason = abi.encodeWithSelector(IPromises.BadReceipt.selector);
        _break(_receipt(rows, 0, operatorKey), header, parent, false, reason);
    }

    function test_brokenPromise_p256_badSignatureThatWasPromised_isKept() public {
        lane = 0;
        bytes[] memory rows = _rows(RECORDS);
        (Header memory header, Header memory parent) = _postRows(FIRST, rows);
        verifier.answer(header.postRoot, header.postRoot);
        verifier.find(header.postRoot, 0, 1, Finding(uint192(bytes24(rows[1])), false, 0, true));
        _break(_receipt(rows, 1, operatorKey), header, parent, true, _kept(FIRST + 1));
    }
}
