// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Vehicle} from "../../src/Vehicle.sol";
import {IRegistry} from "../../src/interfaces/IRegistry.sol";
import {ITariff} from "../../src/interfaces/ITariff.sol";
import {IVault} from "../../src/interfaces/IVault.sol";
import {IForcedQueue} from "../../src/interfaces/IForcedQueue.sol";
import {IAttesters} from "../../src/interfaces/IAttesters.sol";
import {ICourt} from "../../src/interfaces/ICourt.sol";
import {IPromises} from "../../src/interfaces/IPromises.sol";
import {TestDollar} from "../../src/devnet/TestDollar.sol";
import {IRollup, Submission} from "../../src/interfaces/IRollup.sol";
import {Header, HeaderLib} from "../../src/protocol/Header.sol";
import {Limits} from "../../src/protocol/Limits.sol";
import {Test} from "../base/Test.sol";
import {VerifierDouble} from "./VerifierDouble.sol";

/// @notice All contracts with one zone and one lane, and the shortest way to a batch.
abstract contract Fixture is Test {
    /// A period's start.
    uint256 internal constant START = 1_800_000_000;
    uint256 internal constant DAY = 86_400;

    IRollup internal rollup;
    IRegistry internal registry;
    ITariff internal tariff;
    IVault internal vault;
    Vehicle internal vehicle;
    TestDollar internal token;
    IForcedQueue internal forcedQueue;
    IAttesters internal attesters;
    ICourt internal court;
    IPromises internal promises;
    VerifierDouble internal verifier;

    address internal zoneOperator;
    address internal publisher;
    address internal certifier;
    uint256 internal certifierKey;
    address internal laneOwner;
    address internal operator;
    address internal prover;
    address internal stranger;

    uint32 internal zone;
    uint32 internal lane;
    /// Headers that the helpers posted, by lane; [0] is genesis.
    mapping(uint32 lane => Header[]) internal headers;

    function setUp() public virtual {
        vm.warp(START);
        vm.roll(10_000);
        zoneOperator = makeAddr("zoneOperator");
        publisher = makeAddr("publisher");
        (certifier, certifierKey) = makeAddrAndKey("certifier");
        laneOwner = makeAddr("laneOwner");
        operator = makeAddr("operator");
        prover = makeAddr("prover");
        stranger = makeAddr("stranger");

        verifier = new VerifierDouble();
        token = TestDollar(deployArtifact("TestDollar.sol:TestDollar", ""));
        vehicle = Vehicle(deployArtifact("Vehicle.sol:Vehicle", ""));
        uint256 nonce = vm.getNonce(address(this));
        rollup = IRollup(vm.computeCreateAddress(address(this), nonce));
        registry = IRegistry(vm.computeCreateAddress(address(this), nonce + 1));
        tariff = ITariff(vm.computeCreateAddress(address(this), nonce + 2));
        vault = IVault(vm.computeCreateAddress(address(this), nonce + 3));
        forcedQueue = IForcedQueue(vm.computeCreateAddress(address(this), nonce + 4));
        attesters = IAttesters(vm.computeCreateAddress(address(this), nonce + 5));
        court = ICourt(vm.computeCreateAddress(address(this), nonce + 6));
        promises = IPromises(vm.computeCreateAddress(address(this), nonce + 7));
        deployArtifact("Rollup.sol:Rollup", abi.encode(verifier, registry, forcedQueue, promises));
        deployArtifact("Registry.sol:Registry", abi.encode(rollup, tariff, vehicle, token, court));
        deployArtifact("Tariff.sol:Tariff", abi.encode(rollup, registry));
        deployArtifact("Vault.sol:Vault", abi.encode(rollup, registry, vehicle, token, attesters, court));
        deployArtifact("ForcedQueue.sol:ForcedQueue", abi.encode(rollup, registry));
        deployArtifact("Attesters.sol:Attesters", abi.encode(rollup, vault, token));
        deployArtifact("Court.sol:Court", abi.encode(rollup, registry, vault, verifier, token));
        deployArtifact("Promises.sol:Promises", abi.encode(rollup, verifier));

        vm.prank(zoneOperator);
        zone = registry.openZone(publisher, certifier);
        lane = _openLane();
        _bond(operator, Limits.MIN_BOND_WEI);
        _pass(60);
    }

    // --- Time

    function _now() internal view returns (uint256) {
        return vm.getBlockTimestamp();
    }

    /// @notice Lets time pass, a block every 12 s.
    function _pass(uint256 seconds_) internal {
        vm.roll(vm.getBlockNumber() + seconds_ / 12 + 1);
        skip(seconds_);
    }

    // --- Lanes and bonds

    function _openLane() internal returns (uint32 id) {
        vm.prank(laneOwner);
        id = rollup.openLane(zone, operator, 0);
        headers[id].push(_genesis(id, uint32(_now())));
    }

    function _genesis(uint32 id, uint32 openedAt) internal view returns (Header memory header) {
        header.lane = id;
        header.postRoot = rollup.GENESIS_ROOT();
        header.asOf = openedAt;
    }

    function _bond(address who, uint256 amount) internal {
        vm.deal(who, who.balance + amount);
        vm.prank(who);
        rollup.depositBond{value: amount}();
    }

    // --- Batches

    function _tip(uint32 id) internal view returns (Header memory) {
        return headers[id][headers[id].length - 1];
    }

    function _blobs(uint256 count) internal returns (bytes32[] memory hashes) {
        hashes = new bytes32[](count);
        for (uint256 i = 0; i < count; ++i) {
            hashes[i] = bytes32((uint256(keccak256(abi.encode("blob", i))) >> 8) | uint256(1) << 248);
        }
        vm.blobhashes(hashes);
    }

    /// @notice A submission of `chunks` chunks in blobs that meets every condition.
    function _submission(uint32 id, uint32 chunks) internal view returns (Submission memory) {
        Header memory parent = _tip(id);
        uint64 pinned = uint64(vm.getBlockNumber() - 1);
        return Submission({
            lane: id,
            index: parent.index + 1,
            parentHash: HeaderLib.hash(parent),
            postRoot: bytes31(keccak256(abi.encode("root", id, parent.index + 1))),
            asOf: uint32(_now() - 1),
            l1Block: pinned,
            l1Hash: blockhash(pinned),
            dataKind: HeaderLib.BLOB,
            chunkCount: chunks,
            forcedEnd: 0
        });
    }

    /// @notice The header that a submission yields.
    function _headerOf(Submission memory submission, bytes32[] memory dataWords, address submitter)
        internal
        pure
        returns (Header memory header)
    {
        header.lane = submission.lane;
        header.index = submission.index;
        header.parentHash = submission.parentHash;
        header.postRoot = submission.postRoot;
        header.asOf = submission.asOf;
        header.l1Block = submission.l1Block;
        header.l1Hash = submission.l1Hash;
        header.dataKind = submission.dataKind;
        header.chunkCount = submission.chunkCount;
        header.dataHash = keccak256(abi.encodePacked(dataWords));
        header.submitter = submitter;
    }

    function _post(uint32 id) internal returns (Header memory) {
        return _post(_submission(id, 1));
    }

    function _postRoot(uint32 id, bytes31 postRoot) internal returns (Header memory) {
        Submission memory submission = _submission(id, 1);
        submission.postRoot = postRoot;
        return _post(submission);
    }

    function _post(Submission memory submission) internal returns (Header memory header) {
        header = _headerOf(submission, _blobs((submission.chunkCount + 63) / 64), operator);
        vm.prank(operator);
        bytes32 headerHash = rollup.submitBatch(submission, "");
        assertEq(headerHash, HeaderLib.hash(header), "header hash");
        headers[submission.lane].push(header);
    }

    function _makeFinal() internal {
        _pass(Limits.WINDOW_SECONDS);
    }

    // --- Fraud

    function _commit(Header memory header, uint32 chunk, address who, bytes32 salt)
        internal
        returns (bytes32 commitment)
    {
        commitment = keccak256(abi.encode(HeaderLib.hash(header), chunk, who, salt));
        vm.prank(who);
        rollup.commitFraud(commitment);
    }

    /// @notice Proves that chunk 0 of the batch is false and drops what fell from `headers`.
    function _prove(Header memory header, Header memory parent) internal {
        verifier.answer(bytes31(uint248(1)), bytes31(uint248(2)));
        _commit(header, 0, prover, "salt");
        _pass(12);
        vm.prank(prover);
        rollup.proveFraud(header, parent, 0, "salt", "proof");
        while (_tip(header.lane).index >= header.index) headers[header.lane].pop();
    }

    // --- Money

    function _fund(uint32 id, uint256 amount) internal {
        token.mint(address(this), amount);
        token.approve(address(vault), amount);
        vault.fund(id, amount);
    }
}
