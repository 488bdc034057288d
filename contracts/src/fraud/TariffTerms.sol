// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IFraudVerifier, Witness} from "../interfaces/IFraudVerifier.sol";
import {ITariff} from "../interfaces/ITariff.sol";
import {Limits} from "../protocol/Limits.sol";
import {WitnessEntries} from "./WitnessEntries.sol";

/// @notice The tariff versions that a witness brings, and the terms of the last period asked for.
struct TariffTerms {
    ITariff tariff;
    uint32 lane;
    uint32 zone;
    /// Version i of the witness is in force in the periods [from[i], to[i]).
    uint256[] from;
    uint256[] to;
    uint256 period;
    /// Which version of the witness is in force in `period`.
    uint256 version;
    uint256 priceNano;
    bool priceKnown;
}

/// @notice Which tariff and which price hold in a period, read from L1 once a period.
library TariffTermsLib {
    using WitnessEntries for Witness;

    /// Later than every period.
    uint256 private constant OPEN = 1 << 32;
    /// Stands for no version.
    uint256 private constant NONE = type(uint32).max;

    /// @notice Authenticates the witness' tariff versions.
    function load(ITariff tariff, uint32 lane, uint32 zone, Witness calldata witness)
        internal
        view
        returns (TariffTerms memory terms)
    {
        uint256 count = witness.tariffVersions.length;
        if (witness.tariffs.length != count * Limits.TARIFF_BYTES) {
            revert IFraudVerifier.WrongLength("tariffs", witness.tariffs.length);
        }
        terms.tariff = tariff;
        terms.lane = lane;
        terms.zone = zone;
        terms.from = new uint256[](count);
        terms.to = new uint256[](count);
        terms.period = OPEN;
        for (uint256 i = 0; i < count; i++) {
            uint32 version = witness.tariffVersions[i];
            if (version == NONE) revert IFraudVerifier.WrongTariff(version);
            if (i > 0 && version <= witness.tariffVersions[i - 1]) {
                revert IFraudVerifier.WrongTariff(version);
            }
            bytes32 word = tariff.versionWord(lane, version);
            bytes32 tariffHash = keccak256(witness.tariff(i));
            if (word == 0 || uint256(word) >> 32 != uint256(tariffHash) >> 32) {
                revert IFraudVerifier.WrongTariff(version);
            }
            terms.from[i] = uint32(uint256(word));
            bytes32 successor = tariff.versionWord(lane, version + 1);
            terms.to[i] = successor == 0 ? OPEN : uint32(uint256(successor));
        }
    }

    /// @notice Goes to a period: `version` is then the one of the witness that holds there. False: none was ever set for it;
    /// reverts if one was and the witness lacks it.
    function seek(TariffTerms memory terms, uint256 period) internal view returns (bool) {
        if (terms.period == period) return terms.version != NONE;
        terms.period = period;
        terms.priceKnown = false;
        for (uint256 i = 0; i < terms.from.length; i++) {
            if (terms.from[i] <= period && period < terms.to[i]) {
                terms.version = i;
                return true;
            }
        }
        bytes32 first = terms.tariff.versionWord(terms.lane, 0);
        if (first != 0 && uint32(uint256(first)) <= period) {
            revert IFraudVerifier.MissingTariff(uint32(period));
        }
        terms.version = NONE;
        return false;
    }

    /// @notice The zone's price in the period last sought, 0 if it has none.
    function price(TariffTerms memory terms) internal view returns (uint256) {
        if (!terms.priceKnown) {
            terms.priceNano = terms.tariff.price(terms.zone, uint32(terms.period));
            terms.priceKnown = true;
        }
        return terms.priceNano;
    }
}
