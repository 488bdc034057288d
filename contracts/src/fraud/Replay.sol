// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IFraudVerifier, LaneContext, Witness} from "../interfaces/IFraudVerifier.sol";
import {ITariff} from "../interfaces/ITariff.sol";
import {IVault} from "../interfaces/IVault.sol";
import {ContractDescriptor, EvseDescriptor, SlotWord} from "../protocol/Descriptor.sol";
import {Header} from "../protocol/Header.sol";
import {ContractLeaf, EvseLeaf, LaneLeaf, Leaf} from "../protocol/Leaf.sol";
import {Limits} from "../protocol/Limits.sol";
import {Outcome} from "../protocol/Outcome.sol";
import {Record} from "../protocol/Record.sol";
import {Scheme} from "../protocol/Scheme.sol";
import {Settlement} from "../protocol/Settlement.sol";
import {Sha256} from "../protocol/Sha256.sol";
import {Nodes, StateTree} from "../protocol/StateTree.sol";
import {TariffTable} from "../protocol/TariffTable.sol";
import {Item} from "./ChunkItem.sol";
import {LaneFunding} from "./LaneFunding.sol";
import {TariffTerms, TariffTermsLib} from "./TariffTerms.sol";
import {WitnessEntries} from "./WitnessEntries.sol";

/// @notice The lane's state under re-execution, as far as the witness knows it.
struct Replay {
    uint256 asOf;
    uint8 scheme;
    /// Records of a forced chunk don't move the lane's position.
    bool forced;
    Nodes evses;
    Nodes contracts;
    LaneLeaf laneLeaf;
    /// micro
    uint256 funded;
    TariffTerms terms;
}

/// @notice Settles one record after the other, as docs/protocol.md §5 has it, from the witness' leaves to the root after them.
library ReplayLib {
    using Leaf for bytes32;
    using Leaf for EvseLeaf;
    using Leaf for ContractLeaf;
    using Leaf for LaneLeaf;
    using StateTree for Nodes;
    using TariffTermsLib for TariffTerms;
    using WitnessEntries for Witness;

    /// @notice The state that the witness brings. Its leaves are checked by `roots`, everything else here or where it is read.
    function load(
        Header memory header,
        LaneContext memory context,
        Witness calldata witness,
        ITariff tariff,
        IVault vault
    ) internal view returns (Replay memory replay) {
        replay.asOf = header.asOf;
        replay.scheme = context.scheme;
        replay.evses = StateTree.load(witness.evses, Scheme.evseDescriptorBytes(context.scheme));
        replay.contracts = StateTree.load(witness.contracts, Limits.CONTRACT_DESCRIPTOR_BYTES);
        replay.laneLeaf = witness.laneLeaf.toLane();
        replay.funded = LaneFunding.inForce(vault, header.lane, header.asOf, witness.fundingIndex);
        replay.terms = TariffTermsLib.load(tariff, header.lane, context.zone, witness);
    }

    /// @notice Moves the lane's position, and everything else if the record settles; the item tells which.
    function settle(Replay memory replay, Witness calldata witness, Item memory item) internal view {
        Record record = item.record;
        if (record.isEmpty()) return;
        if (!replay.forced) replay.laneLeaf.position++;

        // Checks 1 to 6.
        if (!item.knownEvse || !item.validSignature) return;
        EvseLeaf memory evse = replay.evses.current(item.evseAt).toEvse();
        uint256 ratedW = EvseDescriptor.ratedW(
            witness.evseDescriptor(replay.scheme, item.evseAt), Scheme.keyBytes(replay.scheme)
        );
        if (Settlement.checkMeasurement(record, evse, ratedW, replay.asOf) != Outcome.SETTLED) return;

        // Check 7.
        if (!Settlement.active(item.contractWord, record, replay.asOf)) return;
        uint256 contractAt = replay.contracts.find(record.contractSlot());
        if (contractAt == StateTree.NOT_FOUND) {
            revert IFraudVerifier.MissingContract(uint32(record.contractSlot()));
        }
        bytes calldata descriptor = witness.contractDescriptor(contractAt);
        if (!SlotWord.matches(item.contractWord, keccak256(descriptor))) {
            revert IFraudVerifier.WrongDescriptor(uint32(record.contractSlot()));
        }

        uint256 sessionStart = Settlement.sessionStart(record, evse);
        (bool priced, uint256 amount) =
            _price(replay.terms, witness, record, descriptor, record.end() - sessionStart);
        if (!priced) return;

        // Check 11.
        if (replay.laneLeaf.spent + amount > replay.funded) return;

        item.settled = true;
        item.amount = amount;
        replay.laneLeaf.spent += amount;
        replay.laneLeaf.energyWh += record.energyWh();
        replay.laneLeaf.count++;

        evse.lastEnd = record.end();
        evse.sessionStart = sessionStart;
        evse.lastMeterWh = record.meterEndWh();
        evse.count++;
        evse.lastContract = record.contractSlot();
        replay.evses.update(item.evseAt, evse.pack());

        ContractLeaf memory credit = replay.contracts.current(contractAt).toContract();
        credit.credited += amount;
        credit.energyWh += record.energyWh();
        credit.count++;
        replay.contracts.update(contractAt, credit.pack());
    }

    /// @notice The state root after the records; the same siblings must lead from the leaves before them to `preRoot`.
    function roots(Replay memory replay, Witness calldata witness, bytes31 preRoot)
        internal
        view
        returns (bytes31)
    {
        (bytes32 evsesBefore, bytes32 evsesAfter) = replay.evses.roots(witness.evseSiblings);
        (bytes32 contractsBefore, bytes32 contractsAfter) = replay.contracts.roots(witness.contractSiblings);
        bytes31 before = StateTree.stateRoot(evsesBefore, contractsBefore, Sha256.pair(witness.laneLeaf, 0));
        if (before != preRoot) revert IFraudVerifier.WrongPreRoot(preRoot, before);
        return StateTree.stateRoot(evsesAfter, contractsAfter, Sha256.pair(replay.laneLeaf.pack(), 0));
    }

    /// Checks 8 to 10, and what the record is worth.
    function _price(
        TariffTerms memory terms,
        Witness calldata witness,
        Record record,
        bytes calldata descriptor,
        uint256 sessionIntervals
    ) private view returns (bool priced, uint256 amount) {
        // Check 8 or 9 fails, whichever: no tariff means no settlement.
        if (!terms.seek(Settlement.period(record))) return (false, 0);
        bytes calldata table = witness.tariff(terms.version);
        uint256 capacityWh = ContractDescriptor.capacityWh(descriptor);
        if (!Settlement.socConsistent(record, capacityWh, TariffTable.toleranceBps(table))) {
            return (false, 0);
        }

        uint256 priceNano = terms.price();
        if (priceNano == 0) return (false, 0);
        uint256 thermalBps = Settlement.thermalBps(record, table);
        if (thermalBps == 0) return (false, 0);

        priced = true;
        amount = Settlement.amount({
            energyWh: record.energyWh(),
            priceNano: priceNano,
            incentiveBps: ContractDescriptor.incentiveBps(descriptor),
            tierBps: TariffTable.tierBps(table, Settlement.averageW(record), sessionIntervals),
            thermalBps_: thermalBps
        });
    }
}
