// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {IERC721} from "@openzeppelin/contracts/token/ERC721/IERC721.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {BitMaps} from "@openzeppelin/contracts/utils/structs/BitMaps.sol";

import {BlsSignature} from "../bls/BlsSignature.sol";
import {ExactTransfer} from "../ExactTransfer.sol";
import {IRollup} from "../interfaces/IRollup.sol";
import {ITariff} from "../interfaces/ITariff.sol";
import {ContractDescriptor, EvseDescriptor, SlotWord} from "../protocol/Descriptor.sol";
import {Limits} from "../protocol/Limits.sol";
import {Scheme} from "../protocol/Scheme.sol";
import {DescriptorRules} from "./DescriptorRules.sol";
import {Zones} from "./Zones.sol";

/// @notice EVSEs and contracts: one storage word each, the descriptor in an event (docs/protocol.md §3).
contract Registry is Zones, EIP712, ReentrancyGuardTransient {
    using BitMaps for BitMaps.BitMap;
    using ExactTransfer for IERC20;
    using SafeERC20 for IERC20;
    using SlotWord for bytes32;

    struct LaneSlots {
        uint32 evseCount;
        uint32 contractCount;
        bytes32[1048576] evses;
        bytes32[1048576] contracts;
        BitMaps.BitMap depositsReleased;
        /// What the court took, micro.
        mapping(uint32 slot => uint256) depositsTaken;
    }

    /// Not ended.
    uint32 private constant OPEN_END = type(uint32).max;
    bytes32 private constant CERTIFICATE_TYPEHASH =
        keccak256("Certificate(uint32 lane,uint32 firstSlot,bytes32 descriptorsHash,uint64 deadline)");
    bytes32 private constant ENROLMENT_TYPEHASH =
        keccak256("Enrolment(uint32 lane,bytes32 descriptorHash,uint64 deadline)");

    IRollup public immutable rollup;
    ITariff public immutable tariff;
    IERC721 public immutable vehicle;
    IERC20 public immutable token;
    /// @notice Ends EVSEs that equivocate, and takes from deposits.
    address public immutable court;

    mapping(uint32 lane => LaneSlots) private _lanes;

    constructor(IRollup rollup_, ITariff tariff_, IERC721 vehicle_, IERC20 token_, address court_)
        EIP712("Backfeed", "1")
    {
        rollup = rollup_;
        tariff = tariff_;
        vehicle = vehicle_;
        token = token_;
        court = court_;
    }

    // --- Registering

    function registerMany(
        uint32 lane,
        bytes calldata descriptors,
        uint64 deadline,
        bytes calldata certificate,
        bytes calldata possessions
    ) external nonReentrant returns (uint32 firstSlot) {
        _requireAgent(lane);
        LaneSlots storage slots = _lanes[lane];
        uint8 scheme = rollup.schemeOf(lane);
        uint256 count = _descriptorCount(descriptors, Scheme.evseDescriptorBytes(scheme));
        firstSlot = slots.evseCount;
        _requireRoom(lane, firstSlot, count);
        _requireCertificate(lane, firstSlot, keccak256(descriptors), deadline, certificate);
        _requirePossessions(scheme, count, possessions);

        uint32 activeFrom = _activeFrom();
        uint256 deposits = 0;
        for (uint256 i = 0; i < count; ++i) {
            bytes calldata descriptor = _descriptorAt(descriptors, i, Scheme.evseDescriptorBytes(scheme));
            uint32 slot = firstSlot + uint32(i);
            if (scheme == Scheme.BLS) {
                DescriptorRules.checkBlsEvse(descriptor, _possessionAt(possessions, i), slot);
            } else {
                DescriptorRules.checkP256Evse(descriptor, slot);
            }
            deposits += EvseDescriptor.deposit(descriptor, Scheme.keyBytes(scheme));
            slots.evses[slot] = SlotWord.pack(keccak256(descriptor), activeFrom, OPEN_END);
        }
        slots.evseCount = firstSlot + uint32(count);
        emit EvsesRegistered(lane, firstSlot, activeFrom, descriptors);
        if (deposits != 0) token.take(msg.sender, deposits);
    }

    function enrolMany(uint32 lane, bytes calldata descriptors, uint64 deadline, bytes[] calldata consents)
        external
        returns (uint32 firstSlot)
    {
        _requireAgent(lane);
        LaneSlots storage slots = _lanes[lane];
        uint256 count = _descriptorCount(descriptors, Limits.CONTRACT_DESCRIPTOR_BYTES);
        if (consents.length != count) revert WrongConsentCount(consents.length, count);
        firstSlot = slots.contractCount;
        _requireRoom(lane, firstSlot, count);

        uint32 activeFrom = _activeFrom();
        uint16 maxIncentiveBps = tariff.maxIncentiveBps(lane);
        for (uint256 i = 0; i < count; ++i) {
            bytes calldata descriptor = _descriptorAt(descriptors, i, Limits.CONTRACT_DESCRIPTOR_BYTES);
            uint32 slot = firstSlot + uint32(i);
            DescriptorRules.checkContract(descriptor, slot, maxIncentiveBps);
            _requireConsent(lane, descriptor, deadline, consents[i]);
            slots.contracts[slot] = SlotWord.pack(keccak256(descriptor), activeFrom, OPEN_END);
        }
        slots.contractCount = firstSlot + uint32(count);
        emit ContractsEnrolled(lane, firstSlot, activeFrom, descriptors);
    }

    // --- Ending

    function endEvse(uint32 lane, uint32 slot, uint32 endsAt) external {
        bool allowed = rollup.isLaneAgent(lane, msg.sender) || msg.sender == _certifierOf(rollup.zoneOf(lane));
        if (!allowed) revert MayNotEnd(lane, slot, msg.sender);
        bytes32 word = evseWord(lane, slot);
        _requireEndForward(word, slot, endsAt);
        _lanes[lane].evses[slot] = _withEndsAt(word, endsAt);
        emit EvseEnded(lane, slot, endsAt);
    }

    function endContract(uint32 lane, uint32 slot, uint32 endsAt, bytes calldata descriptor) external {
        bytes32 word = contractWord(lane, slot);
        _requireEndForward(word, slot, endsAt);
        if (!rollup.isLaneAgent(lane, msg.sender)) {
            if (!word.matches(keccak256(descriptor))) revert WrongDescriptor(slot);
            if (msg.sender != vehicle.ownerOf(ContractDescriptor.vehicle(descriptor))) {
                revert MayNotEnd(lane, slot, msg.sender);
            }
        }
        _lanes[lane].contracts[slot] = _withEndsAt(word, endsAt);
        emit ContractEnded(lane, slot, endsAt);
    }

    function releaseDeposit(uint32 lane, uint32 slot, bytes calldata descriptor) external nonReentrant {
        bytes32 word = evseWord(lane, slot);
        if (word == 0) revert SlotEmpty(slot);
        if (!word.matches(keccak256(descriptor))) revert WrongDescriptor(slot);
        uint256 releaseAt = word.endsAt() + Limits.BOND_EXIT_SECONDS;
        if (word.endsAt() == OPEN_END || block.timestamp < releaseAt) {
            revert DepositLocked(slot, releaseAt);
        }
        BitMaps.BitMap storage released = _lanes[lane].depositsReleased;
        if (released.get(slot)) revert DepositReleasedBefore(slot);
        uint256 amount = _depositLeft(lane, slot, descriptor);
        if (amount == 0) revert NoDeposit(slot);
        released.set(slot);
        address to = rollup.lane(lane).owner;
        emit DepositReleased(lane, slot, to, amount);
        token.safeTransfer(to, amount);
    }

    // --- The court's

    function endByCourt(uint32 lane, uint32 slot) external {
        _requireCourt();
        bytes32 word = evseWord(lane, slot);
        if (word == 0) revert SlotEmpty(slot);
        uint32 endsAt = uint32(block.timestamp + Limits.NOTICE_SECONDS);
        if (endsAt >= word.endsAt()) return;
        _lanes[lane].evses[slot] = _withEndsAt(word, endsAt);
        emit EvseEnded(lane, slot, endsAt);
    }

    function takeDeposit(uint32 lane, uint32 slot, uint256 amount, bytes calldata descriptor)
        external
        nonReentrant
        returns (uint256 taken)
    {
        _requireCourt();
        if (!evseWord(lane, slot).matches(keccak256(descriptor))) revert WrongDescriptor(slot);
        LaneSlots storage slots = _lanes[lane];
        uint256 left = slots.depositsReleased.get(slot) ? 0 : _depositLeft(lane, slot, descriptor);
        taken = amount < left ? amount : left;
        if (taken == 0) return 0;
        slots.depositsTaken[slot] += taken;
        emit DepositTaken(lane, slot, taken, left - taken);
        token.safeTransfer(court, taken);
    }

    // --- Views

    function depositTaken(uint32 lane, uint32 slot) external view returns (uint256) {
        return _lanes[lane].depositsTaken[slot];
    }

    function evseCount(uint32 lane) external view returns (uint32) {
        return _lanes[lane].evseCount;
    }

    function contractCount(uint32 lane) external view returns (uint32) {
        return _lanes[lane].contractCount;
    }

    function evseWord(uint32 lane, uint32 slot) public view returns (bytes32) {
        return slot < Limits.MAX_SLOTS ? _lanes[lane].evses[slot] : bytes32(0);
    }

    function contractWord(uint32 lane, uint32 slot) public view returns (bytes32) {
        return slot < Limits.MAX_SLOTS ? _lanes[lane].contracts[slot] : bytes32(0);
    }

    function evseWords(uint32 lane, uint32[] calldata slots) external view returns (bytes32[] memory words) {
        words = new bytes32[](slots.length);
        for (uint256 i = 0; i < slots.length; ++i) {
            words[i] = evseWord(lane, slots[i]);
        }
    }

    function contractWords(uint32 lane, uint32[] calldata slots)
        external
        view
        returns (bytes32[] memory words)
    {
        words = new bytes32[](slots.length);
        for (uint256 i = 0; i < slots.length; ++i) {
            words[i] = contractWord(lane, slots[i]);
        }
    }

    // --- Conditions

    function _requireCourt() private view {
        if (msg.sender != court) revert NotCourt(msg.sender);
    }

    /// The deposit ends the descriptor, whatever the length of the key at its head.
    function _depositLeft(uint32 lane, uint32 slot, bytes calldata descriptor)
        private
        view
        returns (uint256)
    {
        uint256 keyBytes = descriptor.length - EvseDescriptor.TAIL_BYTES;
        return EvseDescriptor.deposit(descriptor, keyBytes) - _lanes[lane].depositsTaken[slot];
    }

    function _requireAgent(uint32 lane) private view {
        if (!rollup.isLaneAgent(lane, msg.sender)) revert NotLaneAgent(lane, msg.sender);
    }

    function _requireRoom(uint32 lane, uint32 firstSlot, uint256 count) private pure {
        if (firstSlot + count > Limits.MAX_SLOTS) revert LaneFull(lane);
    }

    /// The certificate names its first slot, so it serves once.
    function _requireCertificate(
        uint32 lane,
        uint32 firstSlot,
        bytes32 descriptorsHash,
        uint64 deadline,
        bytes calldata certificate
    ) private view {
        if (block.timestamp > deadline) revert CertificateExpired(deadline);
        address certifier = _certifierOf(rollup.zoneOf(lane));
        bytes32 digest = _hashTypedDataV4(
            keccak256(abi.encode(CERTIFICATE_TYPEHASH, lane, firstSlot, descriptorsHash, deadline))
        );
        if (!SignatureChecker.isValidSignatureNowCalldata(certifier, digest, certificate)) {
            revert BadCertificate(lane);
        }
    }

    function _requirePossessions(uint8 scheme, uint256 count, bytes calldata possessions) private pure {
        uint256 expected = scheme == Scheme.BLS ? count * BlsSignature.SIGNATURE_BYTES : 0;
        if (possessions.length != expected) revert WrongPossessionsLength(possessions.length, expected);
    }

    /// A consent may serve again before its deadline: all it allows is another slot that pays the same owner.
    function _requireConsent(uint32 lane, bytes calldata descriptor, uint64 deadline, bytes calldata consent)
        private
        view
    {
        uint64 id = ContractDescriptor.vehicle(descriptor);
        address owner = vehicle.ownerOf(id);
        if (owner == msg.sender && consent.length == 0) return;
        if (block.timestamp > deadline) revert ConsentExpired(deadline);
        bytes32 digest = _hashTypedDataV4(
            keccak256(abi.encode(ENROLMENT_TYPEHASH, lane, keccak256(descriptor), deadline))
        );
        if (!SignatureChecker.isValidSignatureNowCalldata(owner, digest, consent)) revert NoConsent(id);
    }

    function _requireEndForward(bytes32 word, uint32 slot, uint32 endsAt) private view {
        if (word == 0) revert SlotEmpty(slot);
        if (endsAt < block.timestamp + Limits.NOTICE_SECONDS) {
            revert EndTooSoon(endsAt, block.timestamp + Limits.NOTICE_SECONDS);
        }
        if (endsAt >= word.endsAt()) revert EndNotForward(endsAt, uint32(word.endsAt()));
    }

    function _withEndsAt(bytes32 word, uint32 endsAt) private pure returns (bytes32) {
        return SlotWord.pack(word, uint32(word.activeFrom()), endsAt);
    }

    // --- Parsing

    function _activeFrom() private view returns (uint32) {
        return uint32(block.timestamp + Limits.NOTICE_SECONDS);
    }

    function _descriptorCount(bytes calldata descriptors, uint256 size) private pure returns (uint256) {
        if (descriptors.length == 0) revert NoDescriptors();
        if (descriptors.length % size != 0) revert WrongDescriptorLength(descriptors.length);
        return descriptors.length / size;
    }

    function _descriptorAt(bytes calldata descriptors, uint256 i, uint256 size)
        private
        pure
        returns (bytes calldata)
    {
        return descriptors[i * size:(i + 1) * size];
    }

    function _possessionAt(bytes calldata possessions, uint256 i) private pure returns (bytes calldata) {
        return possessions[i * BlsSignature.SIGNATURE_BYTES:(i + 1) * BlsSignature.SIGNATURE_BYTES];
    }
}
