// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Test} from "../base/Test.sol";
import {BlsHarness} from "./BlsHarness.sol";

/// test/vectors/generate-bls.ts writes the vectors; those of RFC 9380 itself are run by test/parity/bls.test.ts.
contract HashToG2Test is Test {
    uint256 internal constant VECTORS = 14;
    bytes internal constant P =
        hex"1a0111ea397fe69a4b1ba7b6434bacd764774b84f38512bf6730d2a0f6b0f6241eabfffeb153ffffb9feffffffffaaab";

    BlsHarness internal harness = new BlsHarness();
    string internal json = vm.readFile("test/vectors/bls.json");

    function test_hash_equalsAnotherLibrary() public view {
        for (uint256 i = 0; i < VECTORS; i++) {
            string memory vector = string.concat(".hashes[", vm.toString(i), "]");
            bytes memory message = vm.parseJsonBytes(json, string.concat(vector, ".message"));
            bytes memory dst = vm.parseJsonBytes(json, string.concat(vector, ".dst"));
            bytes memory point = vm.parseJsonBytes(json, string.concat(vector, ".point"));
            assertEq(harness.hash(message, dst), point, vector);
        }
    }

    /// By EIP-2537 alone a hash costs 48 200 gas.
    function test_hash_gas() public {
        bytes memory dst = bytes("BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_");
        harness.hash(vm.parseJsonBytes(json, ".messages[0]"), dst);
        uint256 spent = vm.lastCallGas().gasTotalUsed;
        emit Measured(spent);
        assertLt(spent, 60_000);
    }

    event Measured(uint256 gas);

    function testFuzz_reduce_equalsModexp(uint256 high, uint256 low) public view {
        _assertReduced(high, low);
    }

    /// Multiples of the modulus and their neighbours, where a quotient that is one too small shows.
    function testFuzz_reduce_aroundMultiples(uint256 factor, uint8 offset) public view {
        factor = factor >> 125;
        (uint256 high, uint256 low) = _multiple(factor);
        unchecked {
            uint256 shifted = low + uint256(offset % 3) - 1;
            if (offset % 3 == 0 && low == 0) high--;
            if (offset % 3 == 2 && shifted == 0) high++;
            _assertReduced(high, shifted);
        }
    }

    function test_reduce_extremes() public view {
        _assertReduced(0, 0);
        _assertReduced(type(uint256).max, type(uint256).max);
        (uint256 high, uint256 low) = _multiple(1);
        _assertReduced(high, low);
        _assertReduced(high, low - 1);
        (high, low) = harness.reduce(high, low);
        assertEq(high | low, 0);
    }

    /// Whatever the gas: the right point or none.
    function test_hash_gasSweep_revertsOrIsRight() public view {
        bytes memory message = vm.parseJsonBytes(json, ".hashes[4].message");
        bytes memory dst = vm.parseJsonBytes(json, ".hashes[4].dst");
        bytes32 expected = keccak256(vm.parseJsonBytes(json, ".hashes[4].point"));
        uint256 passed;
        uint256 refused;
        for (uint256 gas_ = 1000; gas_ < 64_000; gas_ += 83) {
            try harness.hash{gas: gas_}(message, dst) returns (bytes memory point) {
                assertEq(keccak256(point), expected, "another point out of starvation");
                passed++;
            } catch {
                refused++;
            }
        }
        assertGt(passed, 20);
        assertGt(refused, 100);
    }

    function _multiple(uint256 factor) internal pure returns (uint256 high, uint256 low) {
        uint256 pHigh = 0x1a0111ea397fe69a4b1ba7b6434bacd7;
        uint256 pLow = 0x64774b84f38512bf6730d2a0f6b0f6241eabfffeb153ffffb9feffffffffaaab;
        unchecked {
            low = factor * pLow;
            uint256 wrapped = mulmod(factor, pLow, type(uint256).max);
            high = wrapped - low - (wrapped < low ? 1 : 0) + factor * pHigh;
        }
    }

    function _assertReduced(uint256 high, uint256 low) internal view {
        (uint256 h, uint256 l) = harness.reduce(high, low);
        (bool ok, bytes memory expected) = address(5)
            .staticcall(abi.encodePacked(uint256(64), uint256(1), uint256(48), high, low, uint8(1), P));
        assertTrue(ok);
        assertEq(abi.encodePacked(uint128(h), l), expected);
        assertEq(h >> 128, 0);
    }
}
