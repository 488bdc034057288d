// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Vm} from "./Vm.sol";

/// @notice Base of every forge test: cheatcodes, and assertions that revert with what was expected and what was found.
abstract contract Test {
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    error AssertionFailed(string message);

    /// forge runs contracts that answer this.
    bool public constant IS_TEST = true;
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    address[] private _targets;
    FuzzSelector[] private _selectors;

    // --- Invariant targets; forge calls these two getters.

    function targetContracts() external view returns (address[] memory) {
        return _targets;
    }

    function targetSelectors() external view returns (FuzzSelector[] memory) {
        return _selectors;
    }

    function targetContract(address target) internal {
        _targets.push(target);
    }

    function targetSelector(FuzzSelector memory selector) internal {
        _selectors.push(selector);
    }

    // --- Helpers

    /// @notice Maps any `x` into [low, high]; values that lie inside stay what they are.
    function bound(uint256 x, uint256 low, uint256 high) internal pure returns (uint256) {
        if (low > high) revert AssertionFailed("bound: low > high");
        if (x >= low && x <= high) return x;
        uint256 size = high - low + 1;
        if (size == 0) return x;
        return low + x % size;
    }

    function makeAddr(string memory name) internal returns (address account) {
        (account,) = makeAddrAndKey(name);
    }

    function makeAddrAndKey(string memory name) internal returns (address account, uint256 privateKey) {
        privateKey = uint256(keccak256(bytes(name)));
        account = vm.addr(privateKey);
        vm.label(account, name);
    }

    function deal(address account, uint256 wei_) internal {
        vm.deal(account, wei_);
    }

    function skip(uint256 seconds_) internal {
        vm.warp(vm.getBlockTimestamp() + seconds_);
    }

    /// @notice Deploys an artifact, "File.sol:Contract", with ABI-encoded constructor arguments.
    function deployArtifact(string memory artifact, bytes memory arguments)
        internal
        returns (address deployed)
    {
        // By its file, so that it is the code of the default profile whatever profile the test is compiled by.
        bytes memory code = bytes.concat(vm.getCode(_artifactFile(artifact)), arguments);
        assembly ("memory-safe") {
            deployed := create(0, add(code, 0x20), mload(code))
        }
        if (deployed == address(0)) fail(string.concat("creating ", artifact));
    }

    /// @notice What the creation of an artifact reverts with.
    function creationRevert(string memory artifact, bytes memory arguments)
        internal
        returns (bytes memory reason)
    {
        bytes memory code = bytes.concat(vm.getCode(_artifactFile(artifact)), arguments);
        address deployed;
        assembly ("memory-safe") {
            deployed := create(0, add(code, 0x20), mload(code))
            reason := mload(0x40)
            mstore(reason, returndatasize())
            returndatacopy(add(reason, 0x20), 0, returndatasize())
            mstore(0x40, add(reason, and(add(returndatasize(), 0x3f), not(0x1f))))
        }
        if (deployed != address(0)) fail(string.concat("created ", artifact));
    }

    /// "Rollup.sol:Rollup" is in contracts/out/Rollup.sol/Rollup.json.
    function _artifactFile(string memory artifact) private pure returns (string memory) {
        bytes memory path = bytes(artifact);
        for (uint256 i = 0; i < path.length; ++i) {
            if (path[i] == ":") path[i] = "/";
        }
        return string.concat("contracts/out/", string(path), ".json");
    }

    /// @notice Signature as `r ‖ s ‖ v`, the form that ERC-1271 and OpenZeppelin's ECDSA take.
    function signPacked(uint256 privateKey, bytes32 digest) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(privateKey, digest);
        return abi.encodePacked(r, s, v);
    }

    // --- Assertions

    function fail(string memory message) internal pure {
        revert AssertionFailed(message);
    }

    function assertTrue(bool condition) internal pure {
        assertTrue(condition, "expected true");
    }

    function assertTrue(bool condition, string memory message) internal pure {
        if (!condition) fail(message);
    }

    function assertFalse(bool condition) internal pure {
        assertTrue(!condition, "expected false");
    }

    function assertFalse(bool condition, string memory message) internal pure {
        assertTrue(!condition, message);
    }

    function assertEq(uint256 found, uint256 expected) internal pure {
        assertEq(found, expected, "");
    }

    function assertEq(uint256 found, uint256 expected, string memory message) internal pure {
        if (found != expected) _differs(message, vm.toString(found), vm.toString(expected));
    }

    function assertEq(bytes32 found, bytes32 expected) internal pure {
        assertEq(found, expected, "");
    }

    function assertEq(bytes32 found, bytes32 expected, string memory message) internal pure {
        if (found != expected) _differs(message, vm.toString(found), vm.toString(expected));
    }

    function assertEq(address found, address expected) internal pure {
        assertEq(found, expected, "");
    }

    function assertEq(address found, address expected, string memory message) internal pure {
        if (found != expected) _differs(message, vm.toString(found), vm.toString(expected));
    }

    function assertEq(bool found, bool expected) internal pure {
        assertEq(found, expected, "");
    }

    function assertEq(bool found, bool expected, string memory message) internal pure {
        if (found != expected) _differs(message, vm.toString(found), vm.toString(expected));
    }

    function assertEq(bytes memory found, bytes memory expected) internal pure {
        assertEq(found, expected, "");
    }

    function assertEq(bytes memory found, bytes memory expected, string memory message) internal pure {
        if (keccak256(found) != keccak256(expected)) {
            _differs(message, vm.toString(found), vm.toString(expected));
        }
    }

    function assertEq(string memory found, string memory expected) internal pure {
        if (keccak256(bytes(found)) != keccak256(bytes(expected))) _differs("", found, expected);
    }

    function assertNotEq(uint256 found, uint256 unexpected) internal pure {
        if (found == unexpected) fail(string.concat("did not expect ", vm.toString(found)));
    }

    function assertNotEq(bytes32 found, bytes32 unexpected) internal pure {
        if (found == unexpected) fail(string.concat("did not expect ", vm.toString(found)));
    }

    function assertGt(uint256 found, uint256 limit) internal pure {
        assertGt(found, limit, "");
    }

    function assertGt(uint256 found, uint256 limit, string memory message) internal pure {
        if (found <= limit) _differs(message, vm.toString(found), string.concat("> ", vm.toString(limit)));
    }

    function assertGe(uint256 found, uint256 limit) internal pure {
        assertGe(found, limit, "");
    }

    function assertGe(uint256 found, uint256 limit, string memory message) internal pure {
        if (found < limit) _differs(message, vm.toString(found), string.concat(">= ", vm.toString(limit)));
    }

    function assertLt(uint256 found, uint256 limit) internal pure {
        assertLt(found, limit, "");
    }

    function assertLt(uint256 found, uint256 limit, string memory message) internal pure {
        if (found >= limit) _differs(message, vm.toString(found), string.concat("< ", vm.toString(limit)));
    }

    function assertLe(uint256 found, uint256 limit) internal pure {
        assertLe(found, limit, "");
    }

    function assertLe(uint256 found, uint256 limit, string memory message) internal pure {
        if (found > limit) _differs(message, vm.toString(found), string.concat("<= ", vm.toString(limit)));
    }

    function _differs(string memory message, string memory found, string memory expected) private pure {
        string memory prefix = bytes(message).length == 0 ? "" : string.concat(message, ": ");
        fail(string.concat(prefix, "found ", found, ", expected ", expected));
    }
}
