// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {NaiveTree} from "./NaiveTree.sol";

/// One record, decoded, and whether its signature is genuine.
struct Plain {
    uint32 evse;
    uint32 contractSlot;
    uint32 start;
    uint8 intervals;
    uint24 energyWh;
    uint40 meterEndWh;
    uint16 socDrop;
    uint8 tempC;
    bool signatureValid;
}

struct EvseFacts {
    uint256 key;
    uint32 slot;
    uint24 ratedW;
    int32 lat;
    int32 lon;
    uint32 activeFrom;
    uint32 endsAt;
}

struct ContractFacts {
    uint32 slot;
    uint64 vehicle;
    uint16 incentiveBps;
    uint24 capacityWh;
    uint32 activeFrom;
    uint32 endsAt;
}

struct TariffFacts {
    uint32 fromPeriod;
    uint16 toleranceBps;
    uint32[4] powerW;
    uint32[4] session;
    uint16[4][4] tierBps;
    uint8[8] thermalC;
    uint16[8] thermalBps;
}

/// @notice docs/protocol.md §5 written down plainly over storage, to hold the verifier against.
contract ReferenceLane {
    struct EvseState {
        uint32 lastEnd;
        uint32 sessionStart;
        uint40 lastMeterWh;
        uint32 count;
        uint32 lastContract;
    }

    struct ContractState {
        uint128 credited;
        uint64 energyWh;
        uint32 count;
    }

    EvseFacts[] public evses;
    ContractFacts[] public contracts;
    TariffFacts[] internal _tariffs;
    mapping(uint256 period => uint256) public priceNano;
    uint256 public funded;
    uint256 public asOf;

    mapping(uint32 slot => EvseState) public evseState;
    mapping(uint32 slot => ContractState) public contractState;
    uint96 public spent;
    uint64 public energyWh;
    uint48 public count;
    uint48 public position;

    function addEvse(EvseFacts calldata facts) external {
        evses.push(facts);
    }

    function addContract(ContractFacts calldata facts) external {
        contracts.push(facts);
    }

    function addTariff(TariffFacts calldata facts) external {
        _tariffs.push(facts);
    }

    function setPrice(uint256 period, uint256 nano) external {
        priceNano[period] = nano;
    }

    function setFunded(uint256 micro) external {
        funded = micro;
    }

    function setAsOf(uint256 seconds_) external {
        asOf = seconds_;
    }

    function settle(Plain calldata r) external returns (uint256 outcome) {
        if (_isEmpty(r)) return 12;
        position++;
        uint256 end = uint256(r.start) + r.intervals;
        outcome = _measured(r, end);
        if (outcome != 0) return outcome;
        (bool enrolled, ContractFacts memory terms) = _contract(r.contractSlot);
        if (!enrolled || !_stands(terms.activeFrom, terms.endsAt, r.start, end)) return 7;
        uint32 sessionStart = _sessionStart(r);
        uint256 share;
        (outcome, share) = _share(r, terms.capacityWh, end - sessionStart);
        if (outcome != 0) return outcome;
        uint256 amount = _amount(r.energyWh, priceNano[r.start / 60], terms.incentiveBps * share);
        if (spent + amount > funded) return 11;
        _credit(r, uint32(end), sessionStart, amount);
    }

    /// Checks 8 to 10; tier and thermal multiplier of a record that passes them.
    function _share(Plain calldata r, uint256 capacityWh, uint256 session)
        private
        view
        returns (uint256 outcome, uint256 share)
    {
        (bool inForce, TariffFacts memory tariff) = _tariff(r.start / 60);
        uint256 tolerance = inForce ? tariff.toleranceBps : 0;
        if (uint256(r.energyWh) * 100_000_000 > uint256(r.socDrop) * capacityWh * (10_000 + tolerance)) {
            return (8, 0);
        }
        if (!inForce || priceNano[r.start / 60] == 0) return (9, 0);
        uint256 thermal = r.tempC > 150 ? 0 : _thermal(tariff, r.tempC);
        if (thermal == 0) return (10, 0);
        return (0, thermal * _tier(tariff, uint256(r.energyWh) * 240 / r.intervals, session));
    }

    /// Checks 1 to 6; 0 when all pass.
    function _measured(Plain calldata r, uint256 end) private view returns (uint256) {
        (bool found, EvseFacts memory evse) = _evse(r.evse);
        if (!found || !_stands(evse.activeFrom, evse.endsAt, r.start, end)) return 1;
        if (!r.signatureValid) return 2;
        if (r.intervals < 1 || r.intervals > 60 || r.energyWh < 1 || r.energyWh > 0xfffff) return 3;
        if (r.start / 60 != (end - 1) / 60 || end * 15 > asOf || r.socDrop > 10_000) return 3;
        EvseState storage state = evseState[r.evse];
        if (r.start < state.lastEnd) return 4;
        if (uint256(r.meterEndWh) < uint256(state.lastMeterWh) + r.energyWh) return 5;
        // 102 % of the rated power, in watt-hours of 15 s times 10 000 each.
        if (uint256(r.energyWh) * 2_400_000 > uint256(evse.ratedW) * r.intervals * 10_200) return 6;
        return 0;
    }

    function _sessionStart(Plain calldata r) private view returns (uint32) {
        EvseState storage state = evseState[r.evse];
        bool continues = r.start == state.lastEnd && r.contractSlot == state.lastContract;
        return continues ? state.sessionStart : r.start;
    }

    function _credit(Plain calldata r, uint32 end, uint32 sessionStart, uint256 amount) private {
        spent += uint96(amount);
        energyWh += r.energyWh;
        count++;
        evseState[r.evse] =
            EvseState(end, sessionStart, r.meterEndWh, evseState[r.evse].count + 1, r.contractSlot);
        ContractState storage credit = contractState[r.contractSlot];
        credit.credited += uint128(amount);
        credit.energyWh += r.energyWh;
        credit.count++;
    }

    /// A record of the forced queue: its signature was checked there, and it has no position.
    function settleForced(Plain calldata r) external returns (uint256 outcome) {
        uint48 before = position;
        outcome = this.settle(r);
        position = before;
    }

    function stateRoot() external view returns (bytes31) {
        (uint32[] memory slots, bytes32[] memory leaves) = evseLeaves();
        bytes32 evseRoot = NaiveTree.root(slots, leaves);
        (slots, leaves) = contractLeaves();
        return NaiveTree.stateRoot(evseRoot, NaiveTree.root(slots, leaves), laneLeaf());
    }

    function evseLeaves() public view returns (uint32[] memory slots, bytes32[] memory leaves) {
        slots = new uint32[](evses.length);
        leaves = new bytes32[](evses.length);
        for (uint256 i = 0; i < slots.length; i++) {
            slots[i] = evses[i].slot;
            EvseState memory s = evseState[slots[i]];
            leaves[i] = bytes32(
                abi.encodePacked(
                    s.lastEnd, s.sessionStart, s.lastMeterWh, s.count, s.lastContract, new bytes(11)
                )
            );
        }
    }

    function contractLeaves() public view returns (uint32[] memory slots, bytes32[] memory leaves) {
        slots = new uint32[](contracts.length);
        leaves = new bytes32[](contracts.length);
        for (uint256 i = 0; i < slots.length; i++) {
            slots[i] = contracts[i].slot;
            ContractState memory s = contractState[slots[i]];
            leaves[i] = bytes32(abi.encodePacked(s.credited, s.energyWh, s.count, uint32(0)));
        }
    }

    function laneLeaf() public view returns (bytes32) {
        return bytes32(abi.encodePacked(spent, energyWh, count, position));
    }

    function _isEmpty(Plain calldata r) internal pure returns (bool) {
        return r.evse == 0 && r.contractSlot == 0 && r.start == 0 && r.intervals == 0 && r.energyWh == 0
            && r.meterEndWh == 0 && r.socDrop == 0 && r.tempC == 0;
    }

    function _stands(uint256 activeFrom, uint256 endsAt, uint256 start, uint256 end)
        internal
        view
        returns (bool)
    {
        return activeFrom <= asOf && activeFrom <= start * 15 && end * 15 <= endsAt;
    }

    function _evse(uint32 slot) internal view returns (bool, EvseFacts memory facts) {
        for (uint256 i = 0; i < evses.length; i++) {
            if (evses[i].slot == slot) return (true, evses[i]);
        }
        return (false, facts);
    }

    function _contract(uint32 slot) internal view returns (bool, ContractFacts memory facts) {
        for (uint256 i = 0; i < contracts.length; i++) {
            if (contracts[i].slot == slot) return (true, contracts[i]);
        }
        return (false, facts);
    }

    function _tariff(uint256 period) internal view returns (bool found, TariffFacts memory facts) {
        for (uint256 i = 0; i < _tariffs.length; i++) {
            if (_tariffs[i].fromPeriod <= period) (found, facts) = (true, _tariffs[i]);
        }
    }

    function _thermal(TariffFacts memory tariff, uint256 tempC) internal pure returns (uint256 bps) {
        for (uint256 i = 0; i < 8; i++) {
            if (tariff.thermalC[i] <= tempC) bps = tariff.thermalBps[i];
        }
    }

    function _tier(TariffFacts memory tariff, uint256 watts, uint256 session)
        internal
        pure
        returns (uint256)
    {
        uint256 row;
        uint256 column;
        for (uint256 i = 0; i < 4; i++) {
            if (tariff.powerW[i] <= watts) row = i;
            if (tariff.session[i] <= session) column = i;
        }
        return tariff.tierBps[row][column];
    }

    function _amount(uint256 wh, uint256 nano, uint256 product) internal pure returns (uint256) {
        uint256 multiplier = product / 100_000_000;
        if (multiplier > 65_535) multiplier = 65_535;
        // §5 rounds the base down first.
        // forge-lint: disable-next-line(divide-before-multiply)
        return (wh * nano / 1000) * multiplier / 10_000;
    }
}
