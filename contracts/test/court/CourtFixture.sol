// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Reading} from "../../src/interfaces/ICourt.sol";
import {Exhibit} from "../../src/interfaces/ICourt.sol";
import {Finding} from "../../src/interfaces/IFraudVerifier.sol";
import {Header} from "../../src/protocol/Header.sol";
import {Limits} from "../../src/protocol/Limits.sol";
import {Crediting} from "../custody/Crediting.sol";

/// @notice Two EVSEs with deposits, two contracts with vehicle keys, a grid meter, and somebody with tokens for a bond.
abstract contract CourtFixture is Crediting {
    address internal constant BURN = 0x000000000000000000000000000000000000dEaD;
    uint8 internal constant VEHICLE = 1;
    uint8 internal constant GRID = 2;
    uint64 internal constant DEPOSIT = 5_000_000;
    uint256 internal constant METER_KEY = 0x6e7;
    uint32 internal constant SPAN = uint32(START / 15) - 100;

    address internal challenger;
    /// By slot.
    bytes[] internal evseDescriptors;

    function setUp() public virtual override {
        super.setUp();
        challenger = makeAddr("challenger");
        token.mint(challenger, 1_000_000_000);
        vm.prank(challenger);
        token.approve(address(court), type(uint256).max);
        token.mint(operator, 10 * DEPOSIT);
        vm.prank(operator);
        token.approve(address(registry), type(uint256).max);
        for (uint256 i = 0; i < 2; ++i) {
            evseDescriptors.push(_evse(_evseKey(i), DEPOSIT));
            _register(evseDescriptors[i]);
        }
        for (uint256 i = 0; i < 2; ++i) {
            _enrolWithKey(_vehicleKey(i));
        }
        _fund(lane, 1_000_000_000);
    }

    function _evseKey(uint256 slot) internal pure returns (uint256) {
        return 0xe0 + slot;
    }

    function _vehicleKey(uint256 slot) internal pure returns (uint256) {
        return 0xca0 + slot;
    }

    function _enrolWithKey(uint256 p256Key) internal {
        (address owner, uint256 key) =
            makeAddrAndKey(string.concat("driver ", vm.toString(descriptors.length)));
        (uint256 x, uint256 y) = p256Key == 0 ? (0, 0) : vm.publicKeyP256(p256Key);
        bytes memory descriptor =
            abi.encodePacked(uint64(vehicle.mint(owner)), uint16(10_000), uint24(60_000), x, y);
        bytes[] memory consents = new bytes[](1);
        consents[0] = _consent(key, lane, descriptor, DEADLINE);
        vm.prank(operator);
        registry.enrolMany(lane, descriptor, DEADLINE, consents);
        descriptors.push(descriptor);
        owners.push(owner);
    }

    // --- Records and exhibits

    function _record(uint32 evse, uint32 contractSlot, uint32 start, uint24 energyWh)
        internal
        pure
        returns (uint192)
    {
        return uint192(
            bytes24(
                abi.encodePacked(
                    evse, contractSlot, start, uint8(20), energyWh, uint40(energyWh), uint16(200), uint8(25)
                )
            )
        );
    }

    /// @notice Exhibits a record as if re-execution had found it settled in chunk 0 of the batch.
    function _exhibit(Header memory header, uint32 row, uint192 record, uint256 amount)
        internal
        returns (bytes32)
    {
        verifier.answer(0, 0);
        verifier.find(header.postRoot, 0, row, Finding(record, true, amount, false));
        return court.exhibit(header, headers[header.lane][header.index - 1], 0, row, "proof");
    }

    function _credits(uint256 first, uint256 second) internal pure returns (uint256[] memory credits) {
        credits = new uint256[](2);
        (credits[0], credits[1]) = (first, second);
    }

    // --- Readings

    function _vehicleReading(bytes32 exhibitId, uint24 energyWh) internal view returns (Reading memory) {
        Exhibit memory exhibit = court.exhibitOf(exhibitId);
        uint256 key = _vehicleKey(exhibit.contractSlot);
        return _signedReading(key, VEHICLE, exhibit, energyWh, descriptors[exhibit.contractSlot]);
    }

    function _gridReading(bytes32 exhibitId, uint24 energyWh) internal view returns (Reading memory) {
        Exhibit memory exhibit = court.exhibitOf(exhibitId);
        return _signedReading(METER_KEY, GRID, exhibit, energyWh, _gridCredentials(exhibit.evse));
    }

    function _gridCredentials(uint32 evse) internal view returns (bytes memory) {
        return _gridCredentials(certifierKey, evse, SPAN - 1000, SPAN + 1000);
    }

    function _gridCredentials(uint256 key, uint32 evse, uint32 from, uint32 to)
        internal
        view
        returns (bytes memory)
    {
        (uint256 x, uint256 y) = vm.publicKeyP256(METER_KEY);
        bytes32 typehash = keccak256(
            "GridMeter(uint32 lane,uint32 evse,bytes32 keyX,bytes32 keyY,uint32 fromInterval,uint32 toInterval)"
        );
        bytes32 digest =
            _courtTyped(keccak256(abi.encode(typehash, lane, evse, bytes32(x), bytes32(y), from, to)));
        return abi.encode(x, y, from, to, signPacked(key, digest));
    }

    function _courtTyped(bytes32 structHash) internal view returns (bytes32) {
        bytes32 typehash =
            keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
        bytes32 separator = keccak256(
            abi.encode(typehash, keccak256("Backfeed"), keccak256("1"), block.chainid, address(court))
        );
        return keccak256(abi.encodePacked(hex"1901", separator, structHash));
    }

    function _signedReading(
        uint256 key,
        uint8 source,
        Exhibit memory exhibit,
        uint24 energyWh,
        bytes memory credentials
    ) internal view returns (Reading memory) {
        bytes32 domain = sha256(
            abi.encodePacked("backfeed/1/reading", block.chainid, address(rollup), exhibit.lane)
        );
        bytes32 digest =
            sha256(abi.encodePacked(domain, exhibit.evse, exhibit.start, exhibit.intervals, energyWh));
        (bytes32 r, bytes32 s) = vm.signP256(key, digest);
        return Reading(source, energyWh, r, s, credentials);
    }

    // --- Disputes

    function _dispute(bytes32 exhibitId, Reading memory reading) internal returns (uint256) {
        vm.prank(challenger);
        return court.openDispute(exhibitId, reading);
    }

    /// @notice Fraud in `header`, and everything after it.
    function _fell(Header memory header) internal {
        _prove(header, headers[header.lane][header.index - 1]);
        verifier.answer(0, 0);
        _bond(operator, Limits.SLASH_WEI);
    }

    function _heldFrom(uint32 slot) internal view returns (uint64 holdFrom) {
        (, holdFrom) = vault.clawbackOf(lane, slot);
    }

    function _clawback(uint32 slot) internal view returns (uint256 clawback) {
        (clawback,) = vault.clawbackOf(lane, slot);
    }
}
