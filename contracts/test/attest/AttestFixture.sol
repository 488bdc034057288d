// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Header, HeaderLib} from "../../src/protocol/Header.sol";
import {Crediting} from "../custody/Crediting.sol";
import {BlsSigner} from "./BlsSigner.sol";

/// @notice Attesters with ids 0…, whose secrets are their ids + 1, and lanes in which drivers have credit.
abstract contract AttestFixture is Crediting {
    uint256 internal constant STAKE = 3_000_000_000;
    address internal constant DEAD = 0x000000000000000000000000000000000000dEaD;

    address[] internal attesterOwners;
    mapping(uint32 id => uint256) internal secrets;

    function _joinAs(address owner, uint256 secret, uint256 stake) internal returns (uint32 id) {
        bytes memory key = BlsSigner.publicKey(secret);
        bytes memory possession = BlsSigner.possession(secret);
        token.mint(owner, stake);
        vm.startPrank(owner);
        token.approve(address(attesters), stake);
        id = attesters.join(key, possession, stake);
        vm.stopPrank();
        secrets[id] = secret;
    }

    function _join(uint256 stake) internal returns (uint32 id) {
        address owner = makeAddr(string.concat("attester ", vm.toString(attesterOwners.length)));
        attesterOwners.push(owner);
        return _joinAs(owner, attesterOwners.length, stake);
    }

    function _joinMany(uint256 count) internal {
        for (uint256 i = 0; i < count; ++i) {
            _join(STAKE);
        }
    }

    function _keys(uint256 bitmap) internal view returns (bytes memory keys) {
        for (uint32 id = 0; bitmap >> id != 0; ++id) {
            if (bitmap >> id & 1 == 1) keys = bytes.concat(keys, BlsSigner.publicKey(secrets[id]));
        }
    }

    function _aggregate(Header memory header, uint256 bitmap) internal view returns (bytes memory) {
        uint256 count = 0;
        for (uint256 bits = bitmap; bits != 0; bits &= bits - 1) {
            ++count;
        }
        uint256[] memory signers = new uint256[](count);
        for (uint32 id = 0; count != 0; ++id) {
            if (bitmap >> id & 1 == 1) signers[--count] = secrets[id];
        }
        return BlsSigner.signAll(signers, abi.encodePacked(attesters.messageOf(HeaderLib.hash(header))));
    }

    function _attest(Header memory header, uint256 bitmap) internal {
        attesters.attest(header, bitmap, _keys(bitmap), _aggregate(header, bitmap));
    }

    /// Everything is made before the expectation, which the next call of any kind uses up.
    function _attestFails(Header memory header, uint256 bitmap, bytes memory reason) internal {
        bytes memory keys = _keys(bitmap);
        bytes memory aggregate = _aggregate(header, bitmap);
        vm.expectRevert(reason);
        attesters.attest(header, bitmap, keys, aggregate);
    }

    /// @notice What every actor of a test holds of the token, and the two contracts.
    function _held(address who) internal view returns (uint256) {
        return token.balanceOf(who);
    }
}
