// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

struct Zone {
    /// Cold key: sets roles, tariffs, takes refunds.
    address operator;
    address pendingOperator;
    /// Writes prices.
    address publisher;
    /// Certifies EVSEs, may end them.
    address certifier;
}

/// @notice Zones, EVSEs and contracts by descriptor words (docs/protocol.md §3, §15.1).
interface IRegistry {
    event ZoneOpened(uint32 indexed zone, address indexed operator, address publisher, address certifier);
    event ZoneRolesChanged(uint32 indexed zone, address publisher, address certifier);
    event ZoneOperatorProposed(uint32 indexed zone, address indexed pendingOperator);
    event ZoneOperatorChanged(uint32 indexed zone, address indexed operator);
    /// Slots firstSlot, firstSlot + 1, … with the packed descriptors in order.
    event EvsesRegistered(uint32 indexed lane, uint32 firstSlot, uint32 activeFrom, bytes descriptors);
    event EvseEnded(uint32 indexed lane, uint32 indexed slot, uint32 endsAt);
    event DepositReleased(uint32 indexed lane, uint32 indexed slot, address to, uint256 amount);
    event DepositTaken(uint32 indexed lane, uint32 indexed slot, uint256 amount, uint256 left);
    event ContractsEnrolled(uint32 indexed lane, uint32 firstSlot, uint32 activeFrom, bytes descriptors);
    event ContractEnded(uint32 indexed lane, uint32 indexed slot, uint32 endsAt);

    error UnknownZone(uint32 zone);
    error NotZoneOperator(uint32 zone, address caller);
    error NotPendingOperator(uint32 zone, address caller);
    error NotLaneAgent(uint32 lane, address caller);
    error MayNotEnd(uint32 lane, uint32 slot, address caller);
    error WrongDescriptorLength(uint256 length);
    error NoDescriptors();
    error LaneFull(uint32 lane);
    error KeyNotOnCurve(uint32 slot);
    /// The key is no valid one, or nobody proved to hold its secret.
    error BadPossession(uint32 slot);
    error WrongPossessionsLength(uint256 given, uint256 expected);
    error RatedPowerOutOfRange(uint32 slot);
    error PositionOutOfRange(uint32 slot);
    error CapacityOutOfRange(uint32 slot);
    error IncentiveTooHigh(uint32 slot, uint16 incentiveBps, uint16 maxIncentiveBps);
    error BadCertificate(uint32 lane);
    error CertificateExpired(uint64 deadline);
    error NoConsent(uint64 vehicle);
    error ConsentExpired(uint64 deadline);
    error WrongConsentCount(uint256 given, uint256 expected);
    error SlotEmpty(uint32 slot);
    error EndTooSoon(uint32 endsAt, uint256 earliest);
    error EndNotForward(uint32 endsAt, uint32 current);
    error WrongDescriptor(uint32 slot);
    error DepositLocked(uint32 slot, uint256 releaseAt);
    error DepositReleasedBefore(uint32 slot);
    error NoDeposit(uint32 slot);
    error NotCourt(address caller);

    function openZone(address publisher, address certifier) external returns (uint32 zone);
    function setZoneRoles(uint32 zone, address publisher, address certifier) external;
    function proposeZoneOperator(uint32 zone, address pendingOperator) external;
    function acceptZoneOperator(uint32 zone) external;
    function zone(uint32 id) external view returns (Zone memory);
    function zoneCount() external view returns (uint32);

    /// @notice Registers EVSEs in the lane's next slots. `certificate`: the zone certifier's EIP-712 signature over
    /// Certificate(uint32 lane,uint32 firstSlot,bytes32 descriptorsHash,uint64 deadline), descriptorsHash = keccak256(descriptors).
    /// Takes the descriptors' deposits, in the settlement token, from the caller.
    /// @param possessions of a BLS lane's keys, 192 bytes for each descriptor, in order (§15.5); empty for a P-256 lane
    function registerMany(
        uint32 lane,
        bytes calldata descriptors,
        uint64 deadline,
        bytes calldata certificate,
        bytes calldata possessions
    ) external returns (uint32 firstSlot);
    /// @notice Enrols contracts in the lane's next slots. `consents[i]`: the vehicle owner's EIP-712 signature (or
    /// ERC-1271) over Enrolment(uint32 lane,bytes32 descriptorHash,uint64 deadline); empty when the owner is the caller.
    function enrolMany(uint32 lane, bytes calldata descriptors, uint64 deadline, bytes[] calldata consents)
        external
        returns (uint32 firstSlot);
    /// @notice Brings an EVSE's end forward: the lane's owner or operator, or the zone's certifier.
    function endEvse(uint32 lane, uint32 slot, uint32 endsAt) external;
    /// @notice Brings a contract's end forward: the lane's owner or operator, or the vehicle's owner (who supplies the descriptor).
    function endContract(uint32 lane, uint32 slot, uint32 endsAt, bytes calldata descriptor) external;
    /// @notice Pays what is left of an EVSE's deposit to the lane's owner, 21 days after the EVSE's end. Anyone may call.
    function releaseDeposit(uint32 lane, uint32 slot, bytes calldata descriptor) external;
    /// @notice The court alone: ends an EVSE with notice, unless it ends sooner anyway.
    function endByCourt(uint32 lane, uint32 slot) external;
    /// @notice The court alone: takes `amount` out of an EVSE's deposit, or what is left of it.
    function takeDeposit(uint32 lane, uint32 slot, uint256 amount, bytes calldata descriptor)
        external
        returns (uint256 taken);

    /// @notice What the court has taken of the EVSE's deposit, micro.
    function depositTaken(uint32 lane, uint32 slot) external view returns (uint256);
    function evseCount(uint32 lane) external view returns (uint32);
    function contractCount(uint32 lane) external view returns (uint32);
    /// @notice Zero for a slot that is empty or out of range; so are the three below.
    function evseWord(uint32 lane, uint32 slot) external view returns (bytes32);
    function contractWord(uint32 lane, uint32 slot) external view returns (bytes32);
    function evseWords(uint32 lane, uint32[] calldata slots) external view returns (bytes32[] memory);
    function contractWords(uint32 lane, uint32[] calldata slots) external view returns (bytes32[] memory);
}
