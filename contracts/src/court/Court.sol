// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

import {Claim, Exhibit, Reading} from "../interfaces/ICourt.sol";
import {Finding, IFraudVerifier, LaneContext} from "../interfaces/IFraudVerifier.sol";
import {IRegistry} from "../interfaces/IRegistry.sol";
import {IRollup, LaneInfo} from "../interfaces/IRollup.sol";
import {IVault} from "../interfaces/IVault.sol";
import {SlotWord} from "../protocol/Descriptor.sol";
import {Header, HeaderLib} from "../protocol/Header.sol";
import {Limits} from "../protocol/Limits.sol";
import {Record} from "../protocol/Record.sol";
import {Docket} from "./Docket.sol";
import {Equivocation} from "./Equivocation.sol";
import {Meters} from "./Meters.sol";
import {Purse} from "./Purse.sol";
import {Verdict} from "./Verdict.sol";

/// @notice Disputed kWh, equivocation and double plugs (docs/protocol.md §12). It takes credit away and deposits, and grants
/// neither.
contract Court is Docket, Meters, Purse {
    using SlotWord for bytes32;

    IFraudVerifier public immutable verifier;

    mapping(uint32 lane => mapping(uint32 evse => mapping(uint32 start => uint256))) public disputeOf;
    mapping(bytes32 exhibitId => uint256) public doublePlugOf;
    mapping(uint32 lane => mapping(uint32 evse => bool)) public isProven;

    constructor(IRollup rollup_, IRegistry registry_, IVault vault_, IFraudVerifier verifier_, IERC20 token_)
        Docket(vault_)
        Meters(rollup_, registry_)
        Purse(token_)
    {
        verifier = verifier_;
    }

    // --- Exhibits

    function exhibit(
        Header calldata header,
        Header calldata parent,
        uint32 chunk,
        uint32 row,
        bytes calldata proof
    ) external returns (bytes32 id) {
        bytes32 headerHash = HeaderLib.hash(header);
        id = keccak256(abi.encode(headerHash, chunk, row));
        Exhibit storage kept = _exhibits[id];
        // The same header may be live again after it fell.
        if (kept.finalAt != 0 && !_fell(rollup, kept)) revert ExhibitExists(id);
        uint256 finalAt = rollup.requireLive(header) + Limits.WINDOW_SECONDS;
        Finding memory found = verifier.inspect(header, _context(header, parent), chunk, row, proof);
        if (!found.settled) revert NotSettled(row);
        Record record = Record.wrap(found.record);
        _exhibits[id] = Exhibit({
            lane: header.lane,
            index: header.index,
            evse: uint32(record.evse()),
            contractSlot: uint32(record.contractSlot()),
            start: uint32(record.start()),
            intervals: uint8(record.intervals()),
            energyWh: uint24(record.energyWh()),
            // Amounts add up to less than the lane's funding, which is below 2^96.
            amount: uint96(found.amount),
            clawed: 0,
            finalAt: uint32(finalAt),
            falls: rollup.fallCount(header.lane)
        });
        emit Exhibited(id, header.lane, header.index, headerHash, chunk, row, found.record, found.amount);
    }

    // --- Disputed kWh

    function openDispute(bytes32 exhibitId, Reading calldata reading)
        external
        nonReentrant
        returns (uint256 dispute)
    {
        Exhibit storage record = _standing(rollup, exhibitId);
        if (block.timestamp >= record.finalAt) revert WindowClosed(record.finalAt);
        dispute = disputeOf[record.lane][record.evse][record.start];
        if (dispute != 0) revert AlreadyDisputed(dispute);
        if (!Verdict.isBelow(record.energyWh, reading.energyWh)) {
            revert WithinTolerance(record.energyWh, reading.energyWh);
        }
        _requireReading(record, reading);

        Claim memory claim;
        claim.exhibit = exhibitId;
        claim.challenger = msg.sender;
        claim.answerUntil = uint32(block.timestamp + Limits.DISPUTE_ANSWER_SECONDS);
        _file(claim, reading);
        dispute = _open(record, claim);
        disputeOf[record.lane][record.evse][record.start] = dispute;
        emit DisputeOpened(
            dispute, exhibitId, record.lane, msg.sender, reading.source, reading.energyWh, claim.answerUntil
        );
        _take(msg.sender, Limits.DISPUTE_BOND_MICRO);
    }

    function answerDispute(uint256 dispute, Reading calldata reading) external {
        Claim memory claim = _openDispute(dispute);
        if (block.timestamp >= claim.answerUntil) revert AnswerClosed(claim.answerUntil);
        if (claim.filed & reading.source != 0) revert AlreadyFiled(reading.source);
        _requireReading(_known(claim.exhibit), reading);
        _file(claim, reading);
        _claims[dispute] = claim;
        emit DisputeAnswered(dispute, reading.source, reading.energyWh);
    }

    function resolveDispute(uint256 dispute, bytes calldata evseDescriptor) external nonReentrant {
        Claim storage claim = _openDispute(dispute);
        Exhibit storage record = _known(claim.exhibit);
        if (_fell(rollup, record)) {
            delete disputeOf[record.lane][record.evse][record.start];
            _close(record, claim);
            emit DisputeVoid(dispute);
            _payOut(claim.challenger, Limits.DISPUTE_BOND_MICRO);
            return;
        }
        if (claim.filed != Verdict.BOTH && block.timestamp < claim.answerUntil) {
            revert AnswerPending(claim.answerUntil);
        }
        if (block.timestamp < record.finalAt) revert NotFinal(record.finalAt);

        uint24 standingWh = Verdict.standing(record.energyWh, claim.filed, claim.vehicleWh, claim.gridWh);
        if (Verdict.isBelow(record.energyWh, standingWh)) {
            _uphold(dispute, claim, record, standingWh, evseDescriptor);
        } else {
            _close(record, claim);
            emit DisputeResolved(dispute, false, standingWh, 0, 0, 0);
            _split(Limits.DISPUTE_BOND_MICRO, rollup.lane(record.lane).owner);
        }
    }

    // --- Double plugs

    function openDoublePlug(bytes32 first, bytes32 second) external returns (uint256 id) {
        Exhibit storage one = _standing(rollup, first);
        Exhibit storage two = _standing(rollup, second);
        if (one.lane != two.lane || one.contractSlot != two.contractSlot) revert OtherContract();
        if (one.evse == two.evse) revert SameEvse(one.evse);
        bool overlaps = Equivocation.overlap(
            one.start, uint256(one.start) + one.intervals, two.start, uint256(two.start) + two.intervals
        );
        if (!overlaps) revert NotOverlapping();
        uint32 finalAt = one.finalAt > two.finalAt ? one.finalAt : two.finalAt;
        if (block.timestamp >= finalAt) revert WindowClosed(finalAt);

        Claim memory claim;
        (claim.exhibit, claim.other) = one.amount < two.amount ? (first, second) : (second, first);
        id = doublePlugOf[claim.exhibit];
        if (id != 0) revert AlreadyClaimed(id);
        id = _open(_exhibits[claim.exhibit], claim);
        doublePlugOf[claim.exhibit] = id;
        emit DoublePlugOpened(id, claim.exhibit, claim.other);
    }

    function resolveDoublePlug(uint256 id) external {
        Claim storage claim = _openClaim(id);
        if (claim.other == 0) revert UnknownClaim(id);
        Exhibit storage record = _known(claim.exhibit);
        Exhibit storage other = _known(claim.other);
        if (_fell(rollup, record) || _fell(rollup, other)) {
            delete doublePlugOf[claim.exhibit];
            _close(record, claim);
            emit DoublePlugVoid(id);
            return;
        }
        uint32 finalAt = record.finalAt > other.finalAt ? record.finalAt : other.finalAt;
        if (block.timestamp < finalAt) revert NotFinal(finalAt);
        uint256 clawed = _clawBack(record, record.amount);
        _close(record, claim);
        emit DoublePlugResolved(id, record.lane, record.contractSlot, clawed);
    }

    // --- Equivocation

    function proveEquivocation(
        uint32 lane,
        bytes calldata descriptor,
        uint192 first,
        uint192 second,
        bytes calldata signatures
    ) external nonReentrant {
        uint32 evse = Equivocation.requireContradiction(Record.wrap(first), Record.wrap(second));
        if (isProven[lane][evse]) revert AlreadyProven(lane, evse);
        if (!registry.evseWord(lane, evse).matches(keccak256(descriptor))) revert WrongDescriptor(evse);
        _requireSigned(lane, descriptor, first, second, signatures);

        isProven[lane][evse] = true;
        registry.endByCourt(lane, evse);
        uint256 taken = registry.takeDeposit(lane, evse, type(uint256).max, descriptor);
        emit EquivocationProven(lane, evse, msg.sender, first, second, taken / 2);
        _split(taken, msg.sender);
    }

    // --- Inner workings

    function _requireSigned(
        uint32 lane,
        bytes calldata descriptor,
        uint192 first,
        uint192 second,
        bytes calldata signatures
    ) private view {
        uint8 scheme = rollup.schemeOf(lane);
        uint256 size = Equivocation.signatureBytes(scheme);
        if (signatures.length != 2 * size) revert WrongSignatureLength(signatures.length);
        bytes32 domain = rollup.domainOf(lane);
        Equivocation.requireSigned(scheme, domain, descriptor, Record.wrap(first), signatures[:size]);
        Equivocation.requireSigned(scheme, domain, descriptor, Record.wrap(second), signatures[size:]);
    }

    function _context(Header calldata header, Header calldata parent)
        private
        view
        returns (LaneContext memory)
    {
        // As for a fraud proof: the ring vouches for 28 bytes of parentHash and no more.
        bytes32 parentHash = HeaderLib.hash(parent);
        if ((uint256(parentHash) ^ uint256(header.parentHash)) >> 32 != 0) {
            revert WrongParentHeader(header.parentHash, parentHash);
        }
        LaneInfo memory lane = rollup.lane(header.lane);
        return LaneContext({
            zone: lane.zone,
            scheme: lane.scheme,
            domain: rollup.domainOf(header.lane),
            parentRoot: parent.postRoot
        });
    }

    function _openDispute(uint256 id) private view returns (Claim storage claim) {
        claim = _openClaim(id);
        if (claim.other != 0) revert UnknownClaim(id);
    }

    function _file(Claim memory claim, Reading calldata reading) private pure {
        claim.filed |= reading.source;
        if (reading.source == Verdict.VEHICLE) claim.vehicleWh = reading.energyWh;
        else claim.gridWh = reading.energyWh;
    }

    /// The deposit answers whenever a grid reading is there: with three meters, one that is upheld has the grid meter's below the
    /// record too.
    function _uphold(
        uint256 dispute,
        Claim storage claim,
        Exhibit storage record,
        uint24 standingWh,
        bytes calldata evseDescriptor
    ) private {
        uint256 clawed = _clawBack(record, Verdict.excess(record.amount, record.energyWh, standingWh));
        _close(record, claim);
        uint256 slashed = claim.filed & Verdict.GRID == 0
            ? 0
            : registry.takeDeposit(record.lane, record.evse, clawed, evseDescriptor);
        emit DisputeResolved(dispute, true, standingWh, clawed, slashed, slashed / 2);
        _payOut(claim.challenger, Limits.DISPUTE_BOND_MICRO);
        _split(slashed, claim.challenger);
    }
}
