// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Reading} from "../../src/interfaces/ICourt.sol";
import {Receipt} from "../../src/interfaces/IPromises.sol";
import {Submission} from "../../src/interfaces/IRollup.sol";
import {Domain} from "../../src/protocol/Domain.sol";
import {Header} from "../../src/protocol/Header.sol";
import {AttestFixture} from "../attest/AttestFixture.sol";
import {TestTree} from "../custody/TestTree.sol";

/// @notice A lane with drivers, chargers, attesters and a grid meter, a lane beside it, and what actors sign and post.
abstract contract SystemFixture is AttestFixture {
    uint256 internal constant DRIVERS = 3;
    uint256 internal constant EVSES = 2;
    uint64 internal constant DEPOSIT = 5_000_000;
    uint256 internal constant METER_KEY = 0x6e7;
    uint256 internal constant OTHER_FUNDS = 7_000_000;

    uint32 public other;
    uint256 internal operatorKey;
    uint256[] internal credits;
    mapping(bytes31 root => uint256[]) internal creditsOf;
    Header[] internal attested;
    Header[] internal finals;
    bytes[] internal evseDescriptors;
    bytes32[] internal exhibits;
    uint256 internal seed;
    uint32 internal notices;

    constructor() {
        setUp();
        (, operatorKey) = makeAddrAndKey("operator");
        _enrolDrivers(DRIVERS);
        credits = new uint256[](DRIVERS);
        other = _openLane();
        _bond(operator, 2_000 ether);
        _bond(stranger, 40 ether);
        _fund(lane, 20_000_000_000);
        _fund(other, OTHER_FUNDS);
        token.mint(operator, EVSES * DEPOSIT);
        vm.prank(operator);
        token.approve(address(registry), type(uint256).max);
        token.mint(stranger, 10_000_000_000);
        vm.prank(stranger);
        token.approve(address(court), type(uint256).max);
        for (uint256 i = 0; i < EVSES; ++i) {
            evseDescriptors.push(_evse(0xe0 + i, DEPOSIT));
            _register(evseDescriptors[i]);
        }
        _joinMany(4);
        _pass(3600);
    }

    /// One of the newest batches.
    function _picked(uint256 pick) internal view returns (Header memory) {
        uint256 count = headers[lane].length;
        if (count < 2) revert AssertionFailed("nothing posted");
        return headers[lane][count - 1 - bound(pick, 0, count - 2 < 6 ? count - 2 : 6)];
    }

    function _newestFinal() internal view returns (Header memory) {
        for (uint256 i = headers[lane].length; i > 1; --i) {
            if (rollup.isFinal(headers[lane][i - 1])) return headers[lane][i - 1];
        }
        revert AssertionFailed("nothing final");
    }

    function _queueEnd(uint64 pointer) internal view returns (uint64) {
        uint64 length = forcedQueue.length(lane);
        // At most what a chunk takes.
        return length - pointer > 22 ? pointer + 22 : length;
    }

    function _submit(address who, Submission memory submission) internal {
        Header memory parent = _tip(lane);
        Header memory header = _headerOf(submission, _blobs(1), who);
        header.forcedStart = parent.forcedEnd;
        header.forcedStartHash = forcedQueue.wordAt(lane, parent.forcedEnd);
        header.forcedEnd = submission.forcedEnd;
        header.forcedEndHash = forcedQueue.wordAt(lane, submission.forcedEnd);
        header.forcedChunks = submission.forcedEnd == parent.forcedEnd ? 0 : 1;
        vm.prank(who);
        rollup.submitBatch(submission, "");
        headers[lane].push(header);
    }

    function _gridReading(bytes32 id, uint24 wh) internal view returns (Reading memory reading) {
        uint32 evse = court.exhibitOf(id).evse;
        bytes32 digest = Domain.readingDigest(
            Domain.ofReadings(block.chainid, address(rollup), lane), evse, court.exhibitOf(id).start, 4, wh
        );
        (reading.source, reading.energyWh) = (2, wh);
        (reading.r, reading.s) = vm.signP256(METER_KEY, digest);
        (uint256 x, uint256 y) = vm.publicKeyP256(METER_KEY);
        bytes32 type_ = keccak256(
            "GridMeter(uint32 lane,uint32 evse,bytes32 keyX,bytes32 keyY,uint32 fromInterval,uint32 toInterval)"
        );
        bytes32 struct_ = keccak256(abi.encode(type_, lane, evse, x, y, uint32(0), type(uint32).max));
        bytes memory certificate = signPacked(certifierKey, _typedFor(address(court), struct_));
        reading.credentials = abi.encode(x, y, uint32(0), type(uint32).max, certificate);
    }

    function _signed(uint192 record, uint256 evse) internal view returns (bytes memory) {
        bytes8 place = bytes8(abi.encodePacked(int32(525_200_000), int32(-1_799_999_999)));
        bytes32 digest = sha256(abi.encodePacked(rollup.domainOf(lane), record, place));
        (bytes32 r, bytes32 s) = vm.signP256(0xe0 + evse, digest);
        return abi.encodePacked(r, s);
    }

    function _receiptDigest(Receipt memory receipt) internal view returns (bytes32) {
        bytes32 type_ =
            keccak256("MicroBatch(uint32 lane,uint64 firstPosition,uint32 count,uint32 time,bytes32 root)");
        return _typedFor(
            address(rollup),
            keccak256(
                abi.encode(
                    type_, receipt.lane, receipt.firstPosition, receipt.count, receipt.time, receipt.root
                )
            )
        );
    }

    function _typedFor(address verifying, bytes32 structHash) internal view returns (bytes32) {
        bytes32 type_ =
            keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
        bytes32 separator =
            keccak256(abi.encode(type_, keccak256("Backfeed"), keccak256("1"), block.chainid, verifying));
        return keccak256(abi.encodePacked(hex"1901", separator, structHash));
    }

    function _leafOfRow(bytes memory row) internal pure returns (bytes32) {
        bytes memory padded = bytes.concat(row, new bytes(40));
        bytes32[] memory words = new bytes32[](4);
        for (uint256 i = 0; i < 4; ++i) {
            assembly ("memory-safe") {
                mstore(add(add(words, 0x20), mul(i, 0x20)), mload(add(add(padded, 0x20), mul(i, 0x20))))
            }
        }
        return TestTree.pair(TestTree.pair(words[0], words[1]), TestTree.pair(words[2], words[3]));
    }
}
