// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Test} from "../base/Test.sol";
import {BlsHarness} from "./BlsHarness.sol";

/// Signatures of another library, forgeries and starvation; test/vectors/generate-bls.ts writes the vectors.
contract BlsSignatureTest is Test {
    BlsHarness internal harness = new BlsHarness();
    string internal json = vm.readFile("test/vectors/bls.json");
    bytes[] internal keys = vm.parseJsonBytesArray(json, ".keys");
    bytes[] internal messages = vm.parseJsonBytesArray(json, ".messages");
    bytes[] internal signatures = vm.parseJsonBytesArray(json, ".signatures");
    bytes[] internal possessions = vm.parseJsonBytesArray(json, ".possessions");

    // --- One signer

    function test_verifyOne_genuine() public view {
        for (uint256 i = 0; i < keys.length; i++) {
            assertTrue(harness.verifyOne(keys[i], messages[i], signatures[i]));
        }
    }

    function test_verifyOne_othersKeyMessageOrSignature_isFalse() public view {
        assertFalse(harness.verifyOne(keys[1], messages[0], signatures[0]));
        assertFalse(harness.verifyOne(keys[0], messages[1], signatures[0]));
        assertFalse(harness.verifyOne(keys[0], messages[0], signatures[1]));
        assertFalse(harness.verifyOne(keys[0], "", signatures[0]));
        // A possession is no signature, nor the other way round.
        bytes memory compressed = harness.compressKey(keys[0]);
        assertFalse(harness.verifyOne(keys[0], compressed, possessions[0]));
        assertFalse(harness.verifyPossession(keys[0], signatures[0]));
    }

    function test_verifyOne_badPoints_areFalse_neverARevert() public view {
        bytes[] memory bad = _all(".badSignatures");
        assertEq(bad.length, 7);
        for (uint256 i = 0; i < bad.length; i++) {
            assertFalse(harness.verifyOne(keys[0], messages[0], bad[i]));
            assertFalse(harness.verifyPossession(keys[0], bad[i]));
        }
        bad = _all(".badKeys");
        assertEq(bad.length, 6);
        for (uint256 i = 0; i < bad.length; i++) {
            assertFalse(harness.verifyOne(bad[i], messages[0], signatures[0]));
            assertFalse(harness.verifyPossession(bad[i], possessions[0]));
        }
    }

    /// e(infinity, anything) = e(G1, infinity): without a check of its own the pairing would call this genuine.
    function test_infinityKey_infinitySignature_isFalse() public view {
        bytes memory key = new bytes(128);
        bytes memory signature = new bytes(192);
        assertFalse(harness.verifyOne(key, messages[0], signature));
        assertFalse(harness.verifyPossession(key, signature));
        assertFalse(harness.verifyCommon(key, messages[0], signature));
        bytes[] memory several = new bytes[](2);
        (several[0], several[1]) = (keys[0], key);
        bytes[] memory two = new bytes[](2);
        (two[0], two[1]) = (messages[0], messages[1]);
        // All that the first signed, and a share of nothing by nobody.
        assertFalse(harness.verifyAggregate(several, two, signatures[0]));
    }

    function test_wrongLengths_areFalse() public view {
        assertFalse(harness.verifyOne("", messages[0], signatures[0]));
        assertFalse(harness.verifyOne(bytes.concat(keys[0], hex"00"), messages[0], signatures[0]));
        assertFalse(harness.verifyOne(keys[0], messages[0], ""));
        assertFalse(harness.verifyOne(keys[0], messages[0], bytes.concat(signatures[0], hex"00")));
        assertFalse(harness.verifyPossession("", possessions[0]));
        assertFalse(harness.verifyPossession(keys[0], ""));
        assertFalse(harness.verifyCommon("", messages[0], new bytes(192)));
        assertFalse(harness.verifyCommon(bytes.concat(keys[0], hex"00"), messages[0], signatures[0]));
    }

    // --- Possession

    function test_verifyPossession_genuine_andNoOthers() public view {
        for (uint256 i = 0; i < keys.length; i++) {
            assertTrue(harness.verifyPossession(keys[i], possessions[i]));
            assertFalse(harness.verifyPossession(keys[i], possessions[(i + 1) % keys.length]));
        }
    }

    function test_compressKey_equalsAnotherLibrary() public view {
        bytes[] memory compressed = vm.parseJsonBytesArray(json, ".compressedKeys");
        bool plus;
        bool minus;
        for (uint256 i = 0; i < keys.length; i++) {
            assertEq(harness.compressKey(keys[i]), compressed[i]);
            if (compressed[i][0] & 0x20 == 0) plus = true;
            else minus = true;
        }
        assertTrue(plus && minus, "both signs");
    }

    /// The sign bit is signed: a key and its negation share the x.
    function test_verifyPossession_negatedKey_needsItsOwn() public view {
        bytes memory negated = vm.parseJsonBytes(json, ".negatedKey");
        bytes memory possession = vm.parseJsonBytes(json, ".negatedKeyPossession");
        assertTrue(harness.verifyPossession(negated, possession));
        assertFalse(harness.verifyPossession(negated, possessions[0]));
        assertFalse(harness.verifyPossession(keys[0], possession));
    }

    /// Why keys need a proof of possession: a key made up out of all others forges everybody's signature.
    function test_rogueKey_forges_andHasNoPossession() public view {
        bytes memory rogue = vm.parseJsonBytes(json, ".rogueKey");
        bytes memory forged = vm.parseJsonBytes(json, ".rogueAggregate");
        bytes memory common = vm.parseJsonBytes(json, ".common");
        assertTrue(harness.verifyCommon(bytes.concat(_concat(keys), rogue), common, forged), "the attack");
        assertFalse(harness.verifyPossession(rogue, vm.parseJsonBytes(json, ".roguePossession")));
    }

    // --- Several signers

    function test_verifyCommon_all_andNoOneMissingOrTwice() public view {
        bytes memory common = vm.parseJsonBytes(json, ".common");
        bytes memory aggregate = vm.parseJsonBytes(json, ".commonAggregate");
        assertTrue(harness.verifyCommon(_concat(keys), common, aggregate));
        assertFalse(harness.verifyCommon(bytes.concat(_concat(keys), keys[0]), common, aggregate));
        assertFalse(harness.verifyCommon(_concat(keys), messages[0], aggregate));
        bytes memory fewer;
        for (uint256 i = 1; i < keys.length; i++) {
            fewer = bytes.concat(fewer, keys[i]);
        }
        assertFalse(harness.verifyCommon(fewer, common, aggregate));
        assertFalse(harness.verifyCommon(keys[0], common, aggregate));
    }

    function test_verifyCommon_badKeyAmongThem_isFalse() public view {
        bytes memory common = vm.parseJsonBytes(json, ".common");
        bytes memory aggregate = vm.parseJsonBytes(json, ".commonAggregate");
        bytes[] memory bad = _all(".badKeys");
        // Infinity adds nothing to the sum: it is for its registrar to refuse it.
        for (uint256 i = 1; i < bad.length; i++) {
            assertFalse(harness.verifyCommon(bytes.concat(_concat(keys), bad[i]), common, aggregate));
        }
        // A key and its negation sum up to infinity, which everything would be signed by.
        bytes memory none = bytes.concat(keys[0], vm.parseJsonBytes(json, ".negatedKey"));
        assertFalse(harness.verifyCommon(none, common, new bytes(192)));
    }

    function test_verifyAggregate_anyOrder_repetitions() public view {
        bytes memory aggregate = vm.parseJsonBytes(json, ".aggregate");
        assertTrue(harness.verifyAggregate(keys, messages, aggregate));
        bytes[] memory turnedKeys = new bytes[](keys.length);
        bytes[] memory turnedMessages = new bytes[](keys.length);
        for (uint256 i = 0; i < keys.length; i++) {
            uint256 from = keys.length - 1 - i;
            (turnedKeys[i], turnedMessages[i]) = (keys[from], messages[from]);
        }
        assertTrue(harness.verifyAggregate(turnedKeys, turnedMessages, aggregate));

        bytes memory repeated = vm.parseJsonBytes(json, ".aggregateRepeated");
        assertTrue(harness.verifyAggregate(_pick(keys, 0, 0, 1), _pick(messages, 0, 0, 1), repeated));
        assertFalse(harness.verifyAggregate(_pick(keys, 0, 1, 1), _pick(messages, 0, 1, 1), repeated));
        bytes memory oneSigner = vm.parseJsonBytes(json, ".aggregateOneSigner");
        bytes[] memory signer = _pick(keys, 2, 2, 2);
        bytes[] memory signed = _pick(messages, 2, 3, 3);
        assembly ("memory-safe") {
            mstore(signer, 2)
            mstore(signed, 2)
        }
        assertTrue(harness.verifyAggregate(signer, signed, oneSigner));
    }

    function test_verifyAggregate_changed_isFalse() public {
        bytes memory aggregate = vm.parseJsonBytes(json, ".aggregate");
        bytes memory first = keys[0];
        keys[0] = keys[1];
        keys[1] = first;
        assertFalse(harness.verifyAggregate(keys, messages, aggregate));
        keys[1] = keys[0];
        keys[0] = first;
        assertTrue(harness.verifyAggregate(keys, messages, aggregate));
        messages[3] = bytes.concat(messages[3], hex"00");
        assertFalse(harness.verifyAggregate(keys, messages, aggregate));
        messages.pop();
        keys.pop();
        assertFalse(harness.verifyAggregate(keys, messages, aggregate));
    }

    // --- Starvation: neither a genuine signature called bad nor a bad one genuine

    function test_verifyPossession_gasSweep() public view {
        _sweep(abi.encodeCall(harness.verifyPossession, (keys[0], possessions[0])), true, 1500, 220_000);
        _sweep(abi.encodeCall(harness.verifyPossession, (keys[0], possessions[1])), false, 1500, 220_000);
        _sweep(abi.encodeCall(harness.verifyPossession, (_bad(3), possessions[0])), false, 1500, 220_000);
    }

    function test_verifyCommon_gasSweep() public view {
        bytes memory common = vm.parseJsonBytes(json, ".common");
        bytes memory aggregate = vm.parseJsonBytes(json, ".commonAggregate");
        bytes memory all = _concat(keys);
        _sweep(abi.encodeCall(harness.verifyCommon, (all, common, aggregate)), true, 1500, 230_000);
        _sweep(abi.encodeCall(harness.verifyCommon, (all, common, signatures[0])), false, 1500, 230_000);
    }

    function test_verifyAggregate_gasSweep() public view {
        bytes memory aggregate = vm.parseJsonBytes(json, ".aggregate");
        _sweep(abi.encodeCall(harness.verifyAggregate, (keys, messages, aggregate)), true, 5000, 860_000);
        _sweep(abi.encodeCall(harness.verifyAggregate, (keys, messages, signatures[0])), false, 5000, 860_000);
    }

    /// Calls with about 600 gas limits up to `limit`, which must be enough.
    function _sweep(bytes memory call, bool expected, uint256 from, uint256 limit) internal view {
        uint256 passed;
        uint256 refused;
        uint256 step = limit / 600 | 1;
        for (uint256 gas_ = from; gas_ < limit; gas_ += step) {
            (bool ok, bytes memory result) = address(harness).staticcall{gas: gas_}(call);
            if (ok) {
                assertEq(abi.decode(result, (bool)), expected, "a false verdict out of starvation");
                passed++;
            } else {
                refused++;
            }
        }
        assertGt(passed, 10, "passed");
        assertGt(refused, 100, "refused");
    }

    // --- Helpers

    function _all(string memory object) internal view returns (bytes[] memory values) {
        string[] memory names = vm.parseJsonKeys(json, object);
        values = new bytes[](names.length);
        for (uint256 i = 0; i < names.length; i++) {
            values[i] = vm.parseJsonBytes(json, string.concat(object, ".", names[i]));
        }
    }

    function _bad(uint256 i) internal view returns (bytes memory) {
        return _all(".badKeys")[i];
    }

    function _concat(bytes[] memory parts) internal pure returns (bytes memory all) {
        for (uint256 i = 0; i < parts.length; i++) {
            all = bytes.concat(all, parts[i]);
        }
    }

    function _pick(bytes[] memory from, uint256 a, uint256 b, uint256 c)
        internal
        pure
        returns (bytes[] memory picked)
    {
        picked = new bytes[](3);
        (picked[0], picked[1], picked[2]) = (from[a], from[b], from[c]);
    }
}
