// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Submission} from "../../src/interfaces/IRollup.sol";
import {Claim} from "../../src/interfaces/IVault.sol";
import {Header, HeaderLib} from "../../src/protocol/Header.sol";
import {Limits} from "../../src/protocol/Limits.sol";
import {Crediting} from "./Crediting.sol";

/// @notice Whole transactions: intrinsic gas, calldata and execution on cold storage, without the blobs' own fee. Each
/// measuring test makes one call, so that its storage writes are priced as a transaction's first.
contract CustodyGasTest is Crediting {
    uint256[] internal credits;
    Header internal state;
    uint32 internal secondLap;

    function setUp() public override {
        super.setUp();
        _enrolDrivers(64);
        _register(_evse(1, 0));
        _fund(lane, 1_000_000_000_000);
        for (uint256 i = 0; i < 64; ++i) {
            credits.push(1_000_000 + i);
        }
        state = _postCredits(credits);
        _makeFinal();
        secondLap = _openLane();
        _pass(60);
        _secondLap();
    }

    /// A lane in its second lap: tip 70 000, whose neighbours in the ring are 65 536 older and final.
    function _secondLap() internal {
        uint256 base = uint256(_laneSlot(secondLap));
        Header memory header = _genesis(secondLap, uint32(_now() - 60));
        header.index = 70_000;
        uint256 head = uint256(vm.load(address(rollup), bytes32(base)));
        vm.store(address(rollup), bytes32(base), bytes32(head | uint256(70_000) << 48));
        uint256 ring = base + 3;
        bytes32 word = HeaderLib.ringWord(HeaderLib.hash(header), uint32(_now() - 60));
        vm.store(address(rollup), bytes32(ring + 70_000 % 65_536), word);
        bytes32 final_ = HeaderLib.ringWord(keccak256("final"), uint32(_now() - Limits.WINDOW_SECONDS));
        vm.store(address(rollup), bytes32(ring + 70_001 % 65_536), final_);
        vm.store(address(rollup), bytes32(ring + 70_002 % 65_536), final_);
        headers[secondLap].push(header);
    }

    function _laneSlot(uint32 id) internal view returns (bytes32) {
        for (uint256 mappingSlot = 0; mappingSlot < 8; ++mappingSlot) {
            bytes32 base = keccak256(abi.encode(id, mappingSlot));
            if (address(uint160(uint256(vm.load(address(rollup), base)) >> 96)) == operator) return base;
        }
        revert AssertionFailed("lane not found");
    }

    /// @notice Gas of a transaction from `sender` that makes this call (EIP-2028 calldata, EIP-7623 floor).
    function _transactionGas(address sender, address target, bytes memory call_) internal returns (uint256) {
        return _transactionGas(sender, target, call_, 0);
    }

    function _transactionGas(address sender, address target, bytes memory call_, uint256 value)
        internal
        returns (uint256)
    {
        uint256 tokens = 0;
        for (uint256 i = 0; i < call_.length; ++i) {
            tokens += call_[i] == 0 ? 1 : 4;
        }
        vm.cool(address(rollup));
        vm.cool(address(registry));
        vm.cool(address(tariff));
        vm.cool(address(vault));
        vm.cool(address(vehicle));
        vm.cool(address(token));
        vm.cool(address(forcedQueue));
        vm.prank(sender);
        (bool success,) = target.call{value: value}(call_);
        assertTrue(success, "measured call failed");
        // The target itself is warm in a transaction, and cool() made it cold here: 2 500 too many, left in.
        uint256 standard = 21_000 + 4 * tokens + vm.lastCallGas().gasTotalUsed;
        uint256 floor = 21_000 + 10 * tokens;
        return standard > floor ? standard : floor;
    }

    event Measured(string what, uint256 gas);

    function _submitGas(uint32 id, uint256 blobs) internal returns (uint256 gas) {
        Submission memory submission = _submission(id, uint32(64 * blobs));
        _blobs(blobs);
        gas = _transactionGas(operator, address(rollup), abi.encodeCall(rollup.submitBatch, (submission, "")));
        emit Measured(string.concat("submitBatch, blobs: ", vm.toString(blobs)), gas);
    }

    function test_gas_submitBatch_firstLap_1Blob() public {
        assertLt(_submitGas(lane, 1), 100_000);
    }

    function test_gas_submitBatch_firstLap_6Blobs() public {
        assertLt(_submitGas(lane, 6), 100_000);
    }

    function test_gas_submitBatch_secondLap_1Blob() public {
        assertLt(_submitGas(secondLap, 1), 100_000);
    }

    function test_gas_submitBatch_secondLap_6Blobs() public {
        assertLt(_submitGas(secondLap, 6), 100_000);
    }

    function _forceCall(uint256 seed) internal view returns (bytes memory) {
        bytes24 record = bytes24(uint192(seed));
        bytes8 place = bytes8(abi.encodePacked(int32(525_200_000), int32(-1_799_999_999)));
        (bytes32 r, bytes32 s) =
            vm.signP256(1, sha256(abi.encodePacked(rollup.domainOf(lane), record, place)));
        return abi.encodeCall(forcedQueue.forceRecord, (lane, record, _evse(1, 0), abi.encodePacked(r, s)));
    }

    function _force(uint256 count) internal {
        for (uint256 i = 1; i <= count; ++i) {
            bytes memory call_ = _forceCall(i);
            (bool success,) = address(forcedQueue).call{value: Limits.FORCE_FEE_WEI}(call_);
            assertTrue(success);
        }
    }

    function test_gas_forceRecord() public {
        _force(1);
        bytes memory call_ = _forceCall(2);
        vm.deal(stranger, 1 ether);
        uint256 gas = _transactionGas(stranger, address(forcedQueue), call_, Limits.FORCE_FEE_WEI);
        emit Measured("forceRecord", gas);
        assertLt(gas, 105_000);
    }

    function test_gas_submitBatch_192forcedEntries() public {
        _force(193);
        _pass(60);
        Submission memory submission = _submission(lane, 64);
        submission.forcedEnd = 192;
        _blobs(1);
        uint256 gas =
            _transactionGas(operator, address(rollup), abi.encodeCall(rollup.submitBatch, (submission, "")));
        emit Measured("submitBatch, 192 forced entries", gas);
        assertLt(gas, 110_000);
    }

    function _registerGas(uint256 count) internal returns (uint256 gas) {
        bytes memory all;
        for (uint256 i = 0; i < count; ++i) {
            all = bytes.concat(all, _evse(100 + i, 0));
        }
        bytes memory certificate = _certificate(certifierKey, lane, 1, all, DEADLINE);
        bytes memory call_ = abi.encodeCall(registry.registerMany, (lane, all, DEADLINE, certificate, ""));
        gas = _transactionGas(operator, address(registry), call_);
        emit Measured(string.concat("registerMany, a slot of ", vm.toString(count)), gas / count);
    }

    function test_gas_registerMany_1() public {
        assertLt(_registerGas(1), 90_000);
    }

    function test_gas_registerMany_64() public {
        assertLt(_registerGas(64), 64 * 30_000);
    }

    function _enrolGas(uint256 count) internal returns (uint256 gas) {
        bytes memory all;
        bytes[] memory consents = new bytes[](count);
        for (uint256 i = 0; i < count; ++i) {
            (address owner, uint256 key) = makeAddrAndKey(string.concat("owner ", vm.toString(i)));
            bytes memory descriptor = _contract(vehicle.mint(owner), 10_000, 60_000);
            consents[i] = _consent(key, lane, descriptor, DEADLINE);
            all = bytes.concat(all, descriptor);
        }
        bytes memory call_ = abi.encodeCall(registry.enrolMany, (lane, all, DEADLINE, consents));
        gas = _transactionGas(operator, address(registry), call_);
        emit Measured(string.concat("enrolMany, a slot of ", vm.toString(count)), gas / count);
    }

    function test_gas_enrolMany_1() public {
        assertLt(_enrolGas(1), 100_000);
    }

    function test_gas_enrolMany_64() public {
        assertLt(_enrolGas(64), 64 * 45_000);
    }

    function test_gas_withdraw() public {
        bytes memory call_ = abi.encodeCall(vault.withdraw, (state, _parts(credits), _claim(credits, 5)));
        uint256 gas = _transactionGas(stranger, address(vault), call_);
        emit Measured("withdraw", gas);
        assertLt(gas, 190_000);
    }

    function _withdrawManyGas(uint256 count) internal {
        Claim[] memory claims = new Claim[](count);
        for (uint32 i = 0; i < count; ++i) {
            claims[i] = _claim(credits, i);
        }
        bytes memory call_ = abi.encodeCall(vault.withdrawMany, (state, _parts(credits), claims));
        uint256 gas = _transactionGas(stranger, address(vault), call_);
        emit Measured(string.concat("withdrawMany, a claim of ", vm.toString(count)), gas / count);
        assertLt(gas / count, 110_000);
    }

    function test_gas_withdrawMany_16() public {
        _withdrawManyGas(16);
    }

    function test_gas_withdrawMany_64() public {
        _withdrawManyGas(64);
    }

    function test_gas_proveFraud_apartFromVerifier() public {
        _pass(60);
        verifier.answer(bytes31(uint248(1)), bytes31(uint248(2)));
        Header memory bad = state;
        Header memory parent = headers[lane][0];
        vm.warp(_now() - Limits.WINDOW_SECONDS);
        _commit(bad, 0, prover, "salt");
        vm.roll(block.number + 1);
        bytes memory call_ = abi.encodeCall(rollup.proveFraud, (bad, parent, 0, "salt", new bytes(32)));
        uint256 gas = _transactionGas(prover, address(rollup), call_);
        emit Measured("proveFraud apart from the verifier", gas);
        assertLt(gas, 250_000);
    }
}
