// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IFraudVerifier, LaneContext, Opening, Proof, Witness} from "../../src/interfaces/IFraudVerifier.sol";
import {TrustedSetup} from "../../src/kzg/TrustedSetup.sol";
import {Header} from "../../src/protocol/Header.sol";
import {Test} from "../base/Test.sol";
import {FakeL1} from "./FakeL1.sol";
import {NaiveTree} from "./NaiveTree.sol";
import {ContractFacts, EvseFacts, Plain, ReferenceLane, TariffFacts} from "./ReferenceLane.sol";

/// @notice A lane with a handful of chargers and contracts, known both to the verifier (words on a fake L1) and to the
/// reference; chunks and witnesses are built from the reference's state.
abstract contract ExecutionFixture is Test {
    uint32 internal constant LANE = 7;
    uint32 internal constant ZONE = 3;
    uint32 internal constant AS_OF = 1_800_000_007;
    /// The last whole period before AS_OF.
    uint32 internal constant PERIOD = 1_999_999;
    uint32 internal constant OPEN = type(uint32).max;
    uint32 internal constant NONE = type(uint32).max;
    bytes32 internal constant DOMAIN = keccak256("some domain");
    uint256 internal constant P256_ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551;

    FakeL1 internal l1;
    IFraudVerifier internal verifier;
    ReferenceLane internal lane;

    EvseFacts[] internal evses;
    ContractFacts[] internal contracts;
    TariffFacts[] internal tariffs;

    function setUp() public virtual {
        l1 = new FakeL1();
        verifier = IFraudVerifier(
            deployArtifact(
                "FraudVerifier.sol:FraudVerifier", abi.encode(l1, l1, l1, l1, address(new TrustedSetup()))
            )
        );
        lane = new ReferenceLane();
        lane.setAsOf(AS_OF);

        _addEvse(0, 11_000, 1, OPEN);
        _addEvse(1, 22_000, 1, OPEN);
        _addEvse(6, 150_000, (PERIOD - 3) * 900, OPEN);
        _addEvse(7, 11_000, 1, (PERIOD - 2) * 900);
        _addEvse(9, 11_000, AS_OF + 1, OPEN);
        _addEvse(1_048_575, 0xffffff, 1, OPEN);
        _addContract(0, 8_000, 60_000, 1, OPEN);
        _addContract(3, 65_535, 0xfffff, 1, OPEN);
        _addContract(4, 9_000, 60_000, (PERIOD - 3) * 900, OPEN);
        _addContract(700_000, 7_000, 40_000, 1, (PERIOD - 2) * 900);
        _addContract(1_048_575, 5_000, 75_000, 1, OPEN);

        TariffFacts memory tariff;
        tariff.fromPeriod = PERIOD - 20;
        tariff.toleranceBps = 500;
        tariff.powerW = [uint32(0), 3_000, 7_000, OPEN];
        tariff.session = [uint32(0), 8, 120, OPEN];
        tariff.tierBps[0] = [uint16(9_000), 9_500, 10_000, 0];
        tariff.tierBps[1] = [uint16(10_000), 10_500, 11_000, 0];
        tariff.tierBps[2] = [uint16(12_000), 13_000, 65_535, 0];
        tariff.thermalC = [0, 35, 45, 60, 255, 255, 255, 255];
        tariff.thermalBps = [uint16(10_000), 9_000, 5_000, 0, 0, 0, 0, 0];
        _addTariff(tariff);
        tariff.fromPeriod = PERIOD - 6;
        tariff.toleranceBps = 16_383;
        tariff.thermalC = [0, 20, 30, 40, 50, 60, 70, 150];
        tariff.thermalBps = [uint16(10_000), 9_999, 8_000, 7_000, 6_000, 65_535, 1, 0];
        _addTariff(tariff);

        for (uint32 period = PERIOD - 40; period <= PERIOD; period++) {
            _setPrice(period, period % 5 == 0 ? 0 : 33_310 + (period % 7) * 9_000_000);
        }
        _fund(0, AS_OF - 5000, 1);
        _fund(1, AS_OF, 5_000_000_000);
        _fund(2, AS_OF + 1, 0);
    }

    // --- The world, told to both sides

    function _addEvse(uint32 slot, uint24 ratedW, uint32 activeFrom, uint32 endsAt) internal {
        EvseFacts memory facts = EvseFacts({
            key: uint256(keccak256(abi.encode("evse", slot))) >> 1,
            slot: slot,
            ratedW: ratedW,
            lat: int32(int256(uint256(slot))) - 500_000_000,
            lon: -7,
            activeFrom: activeFrom,
            endsAt: endsAt
        });
        evses.push(facts);
        lane.addEvse(facts);
        l1.setEvse(LANE, slot, _word(_evseDescriptor(facts), activeFrom, endsAt));
    }

    function _addContract(
        uint32 slot,
        uint16 incentiveBps,
        uint24 capacityWh,
        uint32 activeFrom,
        uint32 endsAt
    ) internal {
        ContractFacts memory facts = ContractFacts(
            slot, uint64(slot) + 1, incentiveBps, capacityWh, activeFrom, endsAt
        );
        contracts.push(facts);
        lane.addContract(facts);
        l1.setContract(LANE, slot, _word(_contractDescriptor(facts), activeFrom, endsAt));
    }

    function _addTariff(TariffFacts memory facts) internal {
        bytes32 word = bytes32(uint256(keccak256(_tariffBytes(facts))) >> 32 << 32 | facts.fromPeriod);
        l1.setVersion(LANE, uint32(tariffs.length), word);
        lane.addTariff(facts);
        tariffs.push(facts);
    }

    function _setPrice(uint32 period, uint32 nano) internal {
        l1.setPrice(ZONE, period, nano);
        lane.setPrice(period, nano);
    }

    function _fund(uint32 index, uint32 effectiveFrom, uint96 micro) internal {
        l1.setCheckpoint(LANE, index, bytes32(uint256(effectiveFrom) << 224 | uint256(micro) << 128));
        if (effectiveFrom <= AS_OF) lane.setFunded(micro);
    }

    function _word(bytes memory descriptor, uint32 activeFrom, uint32 endsAt)
        internal
        pure
        returns (bytes32)
    {
        return bytes32(abi.encodePacked(bytes24(keccak256(descriptor)), activeFrom, endsAt));
    }

    function _evseDescriptor(EvseFacts memory facts) internal view virtual returns (bytes memory) {
        (uint256 x, uint256 y) = vm.publicKeyP256(facts.key);
        return abi.encodePacked(x, y, facts.ratedW, facts.lat, facts.lon, uint16(50), uint64(1e6));
    }

    function _contractDescriptor(ContractFacts memory facts) internal pure returns (bytes memory) {
        return abi.encodePacked(facts.vehicle, facts.incentiveBps, facts.capacityWh, bytes32(0), bytes32(0));
    }

    function _tariffBytes(TariffFacts memory t) internal pure returns (bytes memory out) {
        out = abi.encodePacked(t.toleranceBps, uint16(65_535));
        for (uint256 i = 0; i < 4; i++) {
            out = abi.encodePacked(out, t.powerW[i]);
        }
        for (uint256 i = 0; i < 4; i++) {
            out = abi.encodePacked(out, t.session[i]);
        }
        for (uint256 i = 0; i < 16; i++) {
            out = abi.encodePacked(out, t.tierBps[i / 4][i % 4]);
        }
        for (uint256 i = 0; i < 8; i++) {
            out = abi.encodePacked(out, t.thermalC[i]);
        }
        for (uint256 i = 0; i < 8; i++) {
            out = abi.encodePacked(out, t.thermalBps[i]);
        }
    }

    // --- Records and chunks

    /// A record that settles as the first one of charger 0: 1 kWh in 6 minutes 15 seconds, 10 kW at 25 °C.
    function _good() internal pure returns (Plain memory) {
        return Plain({
            evse: 0,
            contractSlot: 0,
            start: PERIOD * 60 + 5,
            intervals: 25,
            energyWh: 1000,
            meterEndWh: 1000,
            socDrop: 200,
            tempC: 25,
            signatureValid: true
        });
    }

    function _signed(Plain memory r) internal view returns (bytes memory) {
        bytes memory record = abi.encodePacked(
            r.evse, r.contractSlot, r.start, r.intervals, r.energyWh, r.meterEndWh, r.socDrop, r.tempC
        );
        for (uint256 i = 0; i < evses.length; i++) {
            EvseFacts memory facts = evses[i];
            if (facts.slot != r.evse) continue;
            (bytes32 rr, bytes32 s) =
                vm.signP256(facts.key, sha256(abi.encodePacked(DOMAIN, record, facts.lat, facts.lon)));
            if (!r.signatureValid) rr ^= bytes32(uint256(1));
            // Every other one in the form that some libraries refuse.
            else if (r.start % 2 == 1) s = bytes32(P256_ORDER - uint256(s));
            return abi.encodePacked(record, rr, s);
        }
        return abi.encodePacked(record, new bytes(64));
    }

    function _body(Plain[] memory records) internal view virtual returns (bytes memory body) {
        for (uint256 i = 0; i < records.length; i++) {
            body = bytes.concat(body, _signed(records[i]));
        }
    }

    function _one(Plain memory record) internal pure returns (Plain[] memory records) {
        records = new Plain[](1);
        records[0] = record;
    }

    function _two(Plain memory first, Plain memory second) internal pure returns (Plain[] memory records) {
        records = new Plain[](2);
        (records[0], records[1]) = (first, second);
    }

    // --- Witnesses and proofs

    /// Every leaf of the lane and every tariff, from the reference's present state.
    function _witness() internal view returns (Witness memory witness) {
        uint32[] memory evseSlots = new uint32[](evses.length);
        uint32[] memory contractSlots = new uint32[](contracts.length);
        for (uint256 i = 0; i < evseSlots.length; i++) {
            evseSlots[i] = evses[i].slot;
        }
        for (uint256 i = 0; i < contractSlots.length; i++) {
            contractSlots[i] = contracts[i].slot;
        }
        return _witnessOf(evseSlots, contractSlots);
    }

    function _witnessOf(uint32[] memory evseSlots, uint32[] memory contractSlots)
        internal
        view
        returns (Witness memory witness)
    {
        witness.laneLeaf = lane.laneLeaf();
        witness.fundingIndex = 1;
        witness.tariffVersions = new uint32[](tariffs.length);
        for (uint32 i = 0; i < tariffs.length; i++) {
            witness.tariffVersions[i] = i;
            witness.tariffs = bytes.concat(witness.tariffs, _tariffBytes(tariffs[i]));
        }
        (uint32[] memory slots, bytes32[] memory leaves) = lane.evseLeaves();
        witness.evseSiblings = NaiveTree.siblings(slots, leaves, evseSlots);
        for (uint256 i = 0; i < evseSlots.length; i++) {
            uint256 at_ = _indexOf(slots, evseSlots[i]);
            witness.evses =
                abi.encodePacked(witness.evses, evseSlots[i], leaves[at_], _evseDescriptor(evses[at_]));
        }
        (slots, leaves) = lane.contractLeaves();
        witness.contractSiblings = NaiveTree.siblings(slots, leaves, contractSlots);
        for (uint256 i = 0; i < contractSlots.length; i++) {
            uint256 at_ = _indexOf(slots, contractSlots[i]);
            witness.contracts = abi.encodePacked(
                witness.contracts, contractSlots[i], leaves[at_], _contractDescriptor(contracts[at_])
            );
        }
    }

    function _indexOf(uint32[] memory slots, uint32 slot) internal pure returns (uint256) {
        for (uint256 i = 0; i < slots.length; i++) {
            if (slots[i] == slot) return i;
        }
        revert("no such slot in the fixture");
    }

    /// A batch of one calldata chunk on top of the reference's present state, claiming `claimed`.
    function _batch(bytes memory body, bytes31 claimed)
        internal
        view
        returns (Header memory header, Proof memory proof)
    {
        header.lane = LANE;
        header.index = 4;
        header.asOf = AS_OF;
        header.dataKind = 1;
        header.chunkCount = 1;
        header.postRoot = claimed;
        proof.opening.chunk = bytes.concat(lane.stateRoot(), body);
        proof.dataWords = new bytes32[](1);
        proof.dataWords[0] = keccak256(proof.opening.chunk);
        header.dataHash = keccak256(abi.encodePacked(proof.dataWords));
        proof.witness = _witness();
    }

    function _context() internal view virtual returns (LaneContext memory) {
        return LaneContext({zone: ZONE, scheme: 0, domain: DOMAIN, parentRoot: lane.stateRoot()});
    }

    /// Builds a chunk of the records, re-executes it, applies it to the reference, and holds the roots together.
    function _run(Plain[] memory records) internal returns (uint256[] memory outcomes) {
        (Header memory header, Proof memory proof) = _batch(_body(records), bytes31(uint248(1)));
        LaneContext memory context = _context();
        (bytes31 claimed, bytes31 computed) = verifier.execute(header, context, 0, abi.encode(proof));
        assertEq(bytes32(claimed), bytes32(header.postRoot));
        outcomes = new uint256[](records.length);
        records = _judged(records);
        for (uint256 i = 0; i < records.length; i++) {
            outcomes[i] = lane.settle(records[i]);
        }
        assertEq(bytes32(computed), bytes32(lane.stateRoot()), "root differs from the reference's");
    }

    /// The records with the verdicts that the chunk's signatures come to.
    function _judged(Plain[] memory records) internal view virtual returns (Plain[] memory) {
        return records;
    }

    function _assertOutcome(Plain memory record, uint256 expected) internal {
        assertEq(_run(_one(record))[0], expected, "outcome");
    }
}
