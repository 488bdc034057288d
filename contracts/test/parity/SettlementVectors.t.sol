// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ContractDescriptor, EvseDescriptor, SlotWord} from "../../src/protocol/Descriptor.sol";
import {ContractLeaf, EvseLeaf, LaneLeaf, Leaf} from "../../src/protocol/Leaf.sol";
import {Limits} from "../../src/protocol/Limits.sol";
import {Outcome} from "../../src/protocol/Outcome.sol";
import {Record} from "../../src/protocol/Record.sol";
import {Settlement} from "../../src/protocol/Settlement.sol";
import {TariffTable} from "../../src/protocol/TariffTable.sol";
import {Test} from "../base/Test.sol";

/// One record and all that it meets.
struct Facts {
    bytes record;
    bool signatureValid;
    uint256 asOf;
    bytes32 evseWord;
    bytes evseDescriptor;
    bytes32 evseLeaf;
    bytes32 contractWord;
    bytes contractDescriptor;
    bytes32 contractLeaf;
    bytes32 laneLeaf;
    bytes tariff;
    uint256 priceNano;
    uint256 funded;
}

struct Verdict {
    uint256 outcome;
    uint256 amount;
    bytes32 evseLeaf;
    bytes32 contractLeaf;
    bytes32 laneLeaf;
}

/// @notice test/vectors/settlement.json, written by the TypeScript settlement, judged by the Solidity libraries. The verifier
/// tells roots only; here every record's outcome and amount are compared.
contract SettlementVectorsTest is Test {
    using Leaf for bytes32;
    using Leaf for EvseLeaf;
    using Leaf for ContractLeaf;
    using Leaf for LaneLeaf;

    string private constant FILE = "./test/vectors/settlement.json";
    uint256 private constant KEY = EvseDescriptor.P256_KEY_BYTES;

    Facts[] private _facts;
    Verdict[] private _expected;

    function setUp() public {
        string memory json = vm.readFile(FILE);
        bytes[] memory records = vm.parseJsonBytesArray(json, ".record");
        for (uint256 i = 0; i < records.length; i++) {
            _facts.push();
            _expected.push();
            _facts[i].record = records[i];
        }
        _readBytes(json);
        _readWords(json);
        _readNumbers(json);
        _readVerdicts(json);
    }

    function test_judge_everyVector_sameVerdict() public view {
        uint256[13] memory seen;
        for (uint256 i = 0; i < _facts.length; i++) {
            Verdict memory found = this.judge(_facts[i]);
            Verdict memory expected = _expected[i];
            string memory row = string.concat("row ", vm.toString(i));
            assertEq(found.outcome, expected.outcome, row);
            assertEq(found.amount, expected.amount, row);
            assertEq(found.evseLeaf, expected.evseLeaf, row);
            assertEq(found.contractLeaf, expected.contractLeaf, row);
            assertEq(found.laneLeaf, expected.laneLeaf, row);
            seen[expected.outcome]++;
        }
        for (uint256 outcome = 0; outcome < seen.length; outcome++) {
            assertGt(seen[outcome], 0, "outcome not covered");
        }
    }

    function test_judge_amountsAreWorthSomething() public view {
        uint256 positive = 0;
        for (uint256 i = 0; i < _expected.length; i++) {
            if (_expected[i].amount > 0) positive++;
        }
        assertGt(positive, 4);
    }

    /// The order of the checks is docs/protocol.md §5.
    function judge(Facts calldata facts) external pure returns (Verdict memory verdict) {
        verdict.evseLeaf = facts.evseLeaf;
        verdict.contractLeaf = facts.contractLeaf;
        LaneLeaf memory lane = facts.laneLeaf.toLane();
        Record record = Record.wrap(uint192(bytes24(facts.record)));
        if (record.isEmpty()) verdict.outcome = Outcome.EMPTY;
        else lane.position++;
        if (verdict.outcome != Outcome.EMPTY) {
            EvseLeaf memory evse = facts.evseLeaf.toEvse();
            (verdict.outcome, verdict.amount) = _settle(facts, record, evse, lane.spent);
            if (verdict.outcome == Outcome.SETTLED) _effect(verdict, record, evse, lane);
        }
        verdict.laneLeaf = lane.pack();
    }

    function _settle(Facts calldata facts, Record record, EvseLeaf memory evse, uint256 spent)
        private
        pure
        returns (uint256 outcome, uint256 amount)
    {
        if (!_stands(facts.evseWord, facts.evseDescriptor, record.evse(), record, facts.asOf)) {
            return (Outcome.UNKNOWN_EVSE, 0);
        }
        if (!facts.signatureValid) return (Outcome.BAD_SIGNATURE, 0);
        uint256 ratedW = EvseDescriptor.ratedW(facts.evseDescriptor, KEY);
        outcome = Settlement.checkMeasurement(record, evse, ratedW, facts.asOf);
        if (outcome != Outcome.SETTLED) return (outcome, 0);
        if (!_stands(facts.contractWord, facts.contractDescriptor, record.contractSlot(), record, facts.asOf))
        {
            return (Outcome.UNKNOWN_CONTRACT, 0);
        }
        return _price(facts, record, record.end() - Settlement.sessionStart(record, evse), spent);
    }

    function _price(Facts calldata facts, Record record, uint256 session, uint256 spent)
        private
        pure
        returns (uint256 outcome, uint256 amount)
    {
        bool hasTariff = facts.tariff.length > 0;
        uint256 tolerance = hasTariff ? TariffTable.toleranceBps(facts.tariff) : 0;
        uint256 capacity = ContractDescriptor.capacityWh(facts.contractDescriptor);
        if (!Settlement.socConsistent(record, capacity, tolerance)) return (Outcome.SOC_INCONSISTENT, 0);
        if (facts.priceNano == 0 || !hasTariff) return (Outcome.NO_EVENT, 0);
        uint256 thermal = Settlement.thermalBps(record, facts.tariff);
        if (thermal == 0) return (Outcome.THERMAL_LIMIT, 0);
        amount = _worth(facts, record, session, thermal);
        if (spent + amount > facts.funded) return (Outcome.BUDGET_EXHAUSTED, 0);
    }

    function _worth(Facts calldata facts, Record record, uint256 session, uint256 thermal)
        private
        pure
        returns (uint256)
    {
        return Settlement.amount({
            energyWh: record.energyWh(),
            priceNano: facts.priceNano,
            incentiveBps: ContractDescriptor.incentiveBps(facts.contractDescriptor),
            tierBps: TariffTable.tierBps(facts.tariff, Settlement.averageW(record), session),
            thermalBps_: thermal
        });
    }

    function _effect(Verdict memory verdict, Record record, EvseLeaf memory evse, LaneLeaf memory lane)
        private
        pure
    {
        evse.sessionStart = Settlement.sessionStart(record, evse);
        evse.lastEnd = record.end();
        evse.lastMeterWh = record.meterEndWh();
        evse.lastContract = record.contractSlot();
        evse.count++;
        verdict.evseLeaf = evse.pack();
        ContractLeaf memory credit = verdict.contractLeaf.toContract();
        credit.credited += verdict.amount;
        credit.energyWh += record.energyWh();
        credit.count++;
        verdict.contractLeaf = credit.pack();
        lane.spent += verdict.amount;
        lane.energyWh += record.energyWh();
        lane.count++;
    }

    /// Checks 1 and 7, and that the word is the descriptor's in both languages.
    function _stands(bytes32 word, bytes calldata descriptor, uint256 slot, Record record, uint256 asOf)
        private
        pure
        returns (bool)
    {
        if (word != 0) assertTrue(SlotWord.matches(word, keccak256(descriptor)), "slot word");
        return slot < Limits.MAX_SLOTS && Settlement.active(word, record, asOf);
    }

    // --- Reading the columns

    function _readBytes(string memory json) private {
        bytes[] memory evses = vm.parseJsonBytesArray(json, ".evseDescriptor");
        bytes[] memory contracts = vm.parseJsonBytesArray(json, ".contractDescriptor");
        bytes[] memory tariffs = vm.parseJsonBytesArray(json, ".tariff");
        for (uint256 i = 0; i < _facts.length; i++) {
            _facts[i].evseDescriptor = evses[i];
            _facts[i].contractDescriptor = contracts[i];
            _facts[i].tariff = tariffs[i];
        }
    }

    function _readWords(string memory json) private {
        bytes32[] memory evseWords = vm.parseJsonBytes32Array(json, ".evseWord");
        bytes32[] memory evseLeaves = vm.parseJsonBytes32Array(json, ".evseLeaf");
        bytes32[] memory contractWords = vm.parseJsonBytes32Array(json, ".contractWord");
        bytes32[] memory contractLeaves = vm.parseJsonBytes32Array(json, ".contractLeaf");
        bytes32[] memory laneLeaves = vm.parseJsonBytes32Array(json, ".laneLeaf");
        for (uint256 i = 0; i < _facts.length; i++) {
            _facts[i].evseWord = evseWords[i];
            _facts[i].evseLeaf = evseLeaves[i];
            _facts[i].contractWord = contractWords[i];
            _facts[i].contractLeaf = contractLeaves[i];
            _facts[i].laneLeaf = laneLeaves[i];
        }
    }

    function _readNumbers(string memory json) private {
        uint256[] memory valid = vm.parseJsonUintArray(json, ".signatureValid");
        uint256[] memory asOf = vm.parseJsonUintArray(json, ".asOf");
        uint256[] memory prices = vm.parseJsonUintArray(json, ".priceNano");
        bytes32[] memory funded = vm.parseJsonBytes32Array(json, ".fundedMicro");
        for (uint256 i = 0; i < _facts.length; i++) {
            _facts[i].signatureValid = valid[i] == 1;
            _facts[i].asOf = asOf[i];
            _facts[i].priceNano = prices[i];
            _facts[i].funded = uint256(funded[i]);
        }
    }

    function _readVerdicts(string memory json) private {
        uint256[] memory outcomes = vm.parseJsonUintArray(json, ".outcome");
        bytes32[] memory amounts = vm.parseJsonBytes32Array(json, ".amountMicro");
        bytes32[] memory evseLeaves = vm.parseJsonBytes32Array(json, ".evseLeafAfter");
        bytes32[] memory contractLeaves = vm.parseJsonBytes32Array(json, ".contractLeafAfter");
        bytes32[] memory laneLeaves = vm.parseJsonBytes32Array(json, ".laneLeafAfter");
        for (uint256 i = 0; i < outcomes.length; i++) {
            _expected[i] =
                Verdict(outcomes[i], uint256(amounts[i]), evseLeaves[i], contractLeaves[i], laneLeaves[i]);
        }
    }
}
