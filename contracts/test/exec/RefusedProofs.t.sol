// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IFraudVerifier, LaneContext, Proof} from "../../src/interfaces/IFraudVerifier.sol";
import {Header} from "../../src/protocol/Header.sol";
import {ExecutionFixture} from "./ExecutionFixture.sol";
import {Plain} from "./ReferenceLane.sol";

/// Wrong witnesses, wrong data and calls outside of the verifier's scope: each reverts with its own error.
contract RefusedProofsTest is ExecutionFixture {
    // --- Wrong witnesses

    function test_execute_wrongLeaf_reverts() public {
        (Header memory header, Proof memory proof) = _batch(_signed(_good()), bytes31(0));
        proof.witness.evses[35] ^= 0x01;
        _expectPartial(IFraudVerifier.WrongPreRoot.selector, header, proof);
        (, proof) = _batch(_signed(_good()), bytes31(0));
        proof.witness.contracts[4] ^= 0x01;
        _expectPartial(IFraudVerifier.WrongPreRoot.selector, header, proof);
        (, proof) = _batch(_signed(_good()), bytes31(0));
        proof.witness.laneLeaf = bytes32(uint256(1));
        _expectPartial(IFraudVerifier.WrongPreRoot.selector, header, proof);
        (, proof) = _batch(_signed(_good()), bytes31(0));
        proof.witness.evseSiblings[0] ^= 0x01;
        _expectPartial(IFraudVerifier.WrongPreRoot.selector, header, proof);
    }

    function test_execute_wrongDescriptor_reverts() public {
        (Header memory header, Proof memory proof) = _batch(_signed(_good()), bytes31(0));
        proof.witness.evses[36 + 70] ^= 0x01;
        _expect(abi.encodeWithSelector(IFraudVerifier.WrongDescriptor.selector, 0), header, proof);
        (, proof) = _batch(_signed(_good()), bytes31(0));
        proof.witness.contracts[36 + 9] ^= 0x01;
        _expect(abi.encodeWithSelector(IFraudVerifier.WrongDescriptor.selector, 0), header, proof);
    }

    function test_execute_missingEntries_revert() public {
        Plain memory r = _good();
        r.evse = 1;
        r.contractSlot = 4;
        (Header memory header, Proof memory proof) = _batch(_signed(r), bytes31(0));
        uint32[] memory zero = new uint32[](1);
        uint32[] memory one = new uint32[](1);
        one[0] = 1;
        proof.witness = _witnessOf(zero, zero);
        _expect(abi.encodeWithSelector(IFraudVerifier.MissingEvse.selector, 1), header, proof);
        proof.witness = _witnessOf(one, zero);
        _expect(abi.encodeWithSelector(IFraudVerifier.MissingContract.selector, 4), header, proof);
    }

    function test_execute_siblingsLeftOverOrMissing_revert() public {
        (Header memory header, Proof memory proof) = _batch(_signed(_good()), bytes31(0));
        bytes memory siblings = proof.witness.contractSiblings;
        proof.witness.contractSiblings = bytes.concat(siblings, bytes32(0));
        _expectPartial(IFraudVerifier.SiblingsLeftOver.selector, header, proof);
        assembly ("memory-safe") {
            mstore(siblings, sub(mload(siblings), 32))
        }
        proof.witness.contractSiblings = siblings;
        _expectPartial(IFraudVerifier.SiblingsMissing.selector, header, proof);
        assembly ("memory-safe") {
            mstore(siblings, sub(mload(siblings), 1))
        }
        _expectPartial(IFraudVerifier.WrongLength.selector, header, proof);
    }

    function test_execute_entriesOutOfOrderOrRange_revert() public {
        (Header memory header, Proof memory proof) = _batch(_signed(_good()), bytes31(0));
        bytes memory entries = proof.witness.evses;
        proof.witness.evses = bytes.concat(entries, entries);
        _expect(abi.encodeWithSelector(IFraudVerifier.SlotsNotRising.selector, 0), header, proof);
        proof.witness.evses = bytes.concat(entries, bytes4(uint32(1 << 20)), new bytes(32 + 85));
        _expect(abi.encodeWithSelector(IFraudVerifier.SlotOutOfRange.selector, 1 << 20), header, proof);
        proof.witness.evses = bytes.concat(entries, hex"00");
        _expectPartial(IFraudVerifier.WrongLength.selector, header, proof);
        proof.witness.evses = "";
        _expectPartial(IFraudVerifier.EmptyTreeWitness.selector, header, proof);
    }

    function test_execute_wrongFundingIndex_reverts() public {
        (Header memory header, Proof memory proof) = _batch(_signed(_good()), bytes31(0));
        uint32[4] memory wrong = [uint32(0), 2, 3, NONE];
        for (uint256 i = 0; i < 4; i++) {
            proof.witness.fundingIndex = wrong[i];
            _expect(
                abi.encodeWithSelector(IFraudVerifier.WrongFundingIndex.selector, wrong[i]), header, proof
            );
        }
    }

    function test_execute_noFundingYet_nothingSettles() public {
        for (uint32 i = 0; i < 3; i++) {
            l1.setCheckpoint(LANE, i, 0);
        }
        lane.setFunded(0);
        (Header memory header, Proof memory proof) = _batch(_signed(_good()), bytes31(0));
        proof.witness.fundingIndex = NONE;
        LaneContext memory context = _context();
        assertEq(lane.settle(_good()), 11);
        (, bytes31 computed) = verifier.execute(header, context, 0, abi.encode(proof));
        assertEq(bytes32(computed), bytes32(lane.stateRoot()));
        proof.witness.fundingIndex = 0;
        _expect(abi.encodeWithSelector(IFraudVerifier.WrongFundingIndex.selector, 0), header, proof);
    }

    function test_execute_tariffs_wrongMissingOrDisordered_revert() public {
        (Header memory header, Proof memory proof) = _batch(_signed(_good()), bytes31(0));
        bytes memory both = proof.witness.tariffs;
        proof.witness.tariffs[93] ^= 0x01;
        _expect(abi.encodeWithSelector(IFraudVerifier.WrongTariff.selector, 1), header, proof);
        proof.witness.tariffs[93] ^= 0x01;
        proof.witness.tariffVersions[1] = 2;
        _expect(abi.encodeWithSelector(IFraudVerifier.WrongTariff.selector, 2), header, proof);
        proof.witness.tariffVersions[1] = 0;
        _expect(abi.encodeWithSelector(IFraudVerifier.WrongTariff.selector, 0), header, proof);
        // Version 0 alone doesn't reach into the periods of version 1.
        proof.witness.tariffVersions = new uint32[](1);
        _expectPartial(IFraudVerifier.WrongLength.selector, header, proof);
        assembly ("memory-safe") {
            mstore(both, 92)
        }
        _expect(abi.encodeWithSelector(IFraudVerifier.MissingTariff.selector, PERIOD), header, proof);
        proof.witness.tariffVersions = new uint32[](0);
        proof.witness.tariffs = "";
        _expect(abi.encodeWithSelector(IFraudVerifier.MissingTariff.selector, PERIOD), header, proof);
    }

    // --- Wrong data, and what is out of scope

    function test_execute_wrongData_reverts() public {
        (Header memory header, Proof memory proof) = _batch(_signed(_good()), bytes31(0));
        proof.opening.chunk[40] ^= 0x01;
        _expect(abi.encodeWithSelector(IFraudVerifier.WrongChunkData.selector, 0), header, proof);
        proof.dataWords[0] = keccak256(proof.opening.chunk);
        _expectPartial(IFraudVerifier.WrongDataWords.selector, header, proof);
        (, proof) = _batch(_signed(_good()), bytes31(0));
        proof.opening.next = hex"00";
        _expectPartial(IFraudVerifier.WrongLength.selector, header, proof);
        header.dataKind = 2;
        proof.opening.next = "";
        _expect(abi.encodeWithSelector(IFraudVerifier.UnknownDataKind.selector, 2), header, proof);
    }

    function test_execute_outsideOfItsScope_reverts() public {
        (Header memory header, Proof memory proof) = _batch("", bytes31(0));
        LaneContext memory context = _context();
        vm.expectRevert(abi.encodeWithSelector(IFraudVerifier.ChunkOutOfRange.selector, 1, 1));
        verifier.execute(header, context, 1, abi.encode(proof));
        context.scheme = 2;
        vm.expectRevert(abi.encodeWithSelector(IFraudVerifier.UnsupportedScheme.selector, 2));
        verifier.execute(header, context, 0, abi.encode(proof));
    }

    function test_constructor_wrongSetup_reverts() public {
        address wrong = address(l1);
        bytes memory reason =
            creationRevert("FraudVerifier.sol:FraudVerifier", abi.encode(wrong, wrong, wrong, wrong, wrong));
        assertEq(reason, abi.encodeWithSelector(IFraudVerifier.WrongTrustedSetup.selector, wrong));
    }

    // --- Helpers

    function _expect(bytes memory revertData, Header memory header, Proof memory proof) internal {
        LaneContext memory context = _context();
        vm.expectRevert(revertData);
        verifier.execute(header, context, 0, abi.encode(proof));
    }

    function _expectPartial(bytes4 selector, Header memory header, Proof memory proof) internal {
        LaneContext memory context = _context();
        vm.expectPartialRevert(selector);
        verifier.execute(header, context, 0, abi.encode(proof));
    }
}
