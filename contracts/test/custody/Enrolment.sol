// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Fixture} from "./Fixture.sol";
import {TestTariff} from "./TestTariff.sol";

/// @notice Descriptors, and the signatures that registering and enrolling take.
abstract contract Enrolment is Fixture {
    uint16 internal constant MAX_INCENTIVE = 15_000;
    uint64 internal constant DEADLINE = uint64(START + 365 * 86_400);

    address internal driver;
    uint256 internal driverKey;

    function setUp() public virtual override {
        super.setUp();
        (driver, driverKey) = makeAddrAndKey("driver");
        vm.prank(zoneOperator);
        tariff.setTariff(lane, uint32(START / 900 + 10), TestTariff.flat(500, MAX_INCENTIVE));
    }

    // --- Descriptors

    function _evse(uint256 key, uint64 deposit) internal pure returns (bytes memory) {
        return _evseAt(key, 525_200_000, -1_799_999_999, 22_000, deposit);
    }

    function _evseAt(uint256 key, int32 lat, int32 lon, uint24 ratedW, uint64 deposit)
        internal
        pure
        returns (bytes memory)
    {
        (uint256 x, uint256 y) = vm.publicKeyP256(key);
        return abi.encodePacked(x, y, ratedW, lat, lon, uint16(50), deposit);
    }

    function _contract(uint256 id, uint16 incentiveBps, uint24 capacityWh)
        internal
        pure
        returns (bytes memory)
    {
        return abi.encodePacked(uint64(id), incentiveBps, capacityWh, bytes32(0), bytes32(0));
    }

    // --- Signatures

    function _typed(bytes32 structHash) internal view returns (bytes32) {
        bytes32 separator = keccak256(
            abi.encode(
                keccak256(
                    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
                ),
                keccak256("Backfeed"),
                keccak256("1"),
                block.chainid,
                address(registry)
            )
        );
        return keccak256(abi.encodePacked(hex"1901", separator, structHash));
    }

    function _certificate(
        uint256 key,
        uint32 lane_,
        uint32 firstSlot,
        bytes memory descriptors,
        uint64 deadline
    ) internal view returns (bytes memory) {
        bytes32 typehash = keccak256(
            "Certificate(uint32 lane,uint32 firstSlot,bytes32 descriptorsHash,uint64 deadline)"
        );
        return signPacked(
            key, _typed(keccak256(abi.encode(typehash, lane_, firstSlot, keccak256(descriptors), deadline)))
        );
    }

    function _consent(uint256 key, uint32 lane_, bytes memory descriptor, uint64 deadline)
        internal
        view
        returns (bytes memory)
    {
        bytes32 typehash = keccak256("Enrolment(uint32 lane,bytes32 descriptorHash,uint64 deadline)");
        return
            signPacked(key, _typed(keccak256(abi.encode(typehash, lane_, keccak256(descriptor), deadline))));
    }

    // --- Whole calls

    function _register(bytes memory descriptors) internal returns (uint32 firstSlot) {
        bytes memory certificate =
            _certificate(certifierKey, lane, registry.evseCount(lane), descriptors, DEADLINE);
        vm.prank(operator);
        return registry.registerMany(lane, descriptors, DEADLINE, certificate, "");
    }

    /// @notice Mints a vehicle for `owner`, whose key is given, and enrols it.
    function _enrol(address owner, uint256 key) internal returns (uint32 slot, bytes memory descriptor) {
        descriptor = _contract(vehicle.mint(owner), 10_000, 60_000);
        bytes[] memory consents = new bytes[](1);
        consents[0] = _consent(key, lane, descriptor, DEADLINE);
        vm.prank(operator);
        slot = registry.enrolMany(lane, descriptor, DEADLINE, consents);
    }
}
