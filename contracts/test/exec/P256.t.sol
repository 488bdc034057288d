// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {P256} from "../../src/protocol/P256.sol";
import {Test} from "../base/Test.sol";

contract P256Harness {
    function verify(bytes32 digest, bytes32 r, bytes32 s, bytes32 x, bytes32 y) external view returns (bool) {
        return P256.verify(digest, r, s, x, y);
    }
}

contract P256Test is Test {
    uint256 internal constant ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551;
    bytes32 internal constant DIGEST = keccak256("a digest");

    P256Harness internal harness = new P256Harness();
    bytes32 internal r;
    bytes32 internal s;
    bytes32 internal x;
    bytes32 internal y;

    function setUp() public {
        (r, s) = vm.signP256(12_345, DIGEST);
        (uint256 keyX, uint256 keyY) = vm.publicKeyP256(12_345);
        (x, y) = (bytes32(keyX), bytes32(keyY));
    }

    function test_verify_genuine_lowAndHighS() public view {
        assertTrue(harness.verify(DIGEST, r, s, x, y));
        assertTrue(harness.verify(DIGEST, r, bytes32(ORDER - uint256(s)), x, y));
    }

    function test_verify_anythingElse_isFalse_neverARevert() public view {
        assertFalse(harness.verify(keccak256("another"), r, s, x, y));
        assertFalse(harness.verify(DIGEST, s, r, x, y));
        assertFalse(harness.verify(DIGEST, 0, s, x, y));
        assertFalse(harness.verify(DIGEST, r, 0, x, y));
        assertFalse(harness.verify(DIGEST, bytes32(ORDER), s, x, y));
        assertFalse(harness.verify(DIGEST, r, bytes32(ORDER), x, y));
        assertFalse(harness.verify(DIGEST, r, s, y, x));
        assertFalse(harness.verify(DIGEST, r, s, 0, 0));
        assertFalse(harness.verify(DIGEST, bytes32(type(uint256).max), s, bytes32(type(uint256).max), y));
    }

    /// One gas at a time around the precompile's cost: a valid signature is never called bad.
    function test_verify_gasSweep_revertsOrTrue() public view {
        uint256 passed;
        uint256 refused;
        for (uint256 gas_ = 500; gas_ < 11_000; gas_ += 7) {
            try harness.verify{gas: gas_}(DIGEST, r, s, x, y) returns (bool valid) {
                assertTrue(valid, "a valid signature called bad");
                passed++;
            } catch {
                refused++;
            }
        }
        assertGt(passed, 100);
        assertGt(refused, 100);
    }
}
