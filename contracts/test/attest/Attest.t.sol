// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AttestationStatus, IAttesters} from "../../src/interfaces/IAttesters.sol";
import {IRollup} from "../../src/interfaces/IRollup.sol";
import {Header, HeaderLib} from "../../src/protocol/Header.sol";
import {Limits} from "../../src/protocol/Limits.sol";
import {AttestFixture} from "./AttestFixture.sol";
import {BlsSigner} from "./BlsSigner.sol";

contract AttestTest is AttestFixture {
    Header internal header;
    bytes32 internal hash;

    function setUp() public override {
        super.setUp();
        _joinMany(4);
        header = _post(lane);
        hash = HeaderLib.hash(header);
    }

    function test_attest_threeOfFour_recordsSignersAndStake() public {
        assertFalse(attesters.isAttested(hash));
        vm.expectEmit(address(attesters));
        emit IAttesters.BatchAttested(lane, header.index, hash, 7, 3 * STAKE);
        _attest(header, 7);
        assertTrue(attesters.isAttested(hash));
        assertEq(attesters.attestation(hash).signers, 7);
        assertEq(attesters.attestation(hash).stake, 3 * STAKE);
        assertEq(uint256(attesters.attestation(hash).status), uint256(AttestationStatus.Open));
    }

    function test_attest_exactlyTwoThirds_isNotEnough_oneMicroMoreIs() public {
        vm.prank(attesterOwners[3]);
        attesters.announceLeave(3);
        bytes memory reason = abi.encodeWithSelector(IAttesters.NotEnoughStake.selector, 2 * STAKE, 3 * STAKE);
        _attestFails(header, 3, reason);
        token.mint(attesterOwners[0], 1);
        vm.startPrank(attesterOwners[0]);
        token.approve(address(attesters), 1);
        attesters.addStake(0, 1);
        vm.stopPrank();
        _attest(header, 3);
    }

    function test_attest_nobody_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(IAttesters.NotEnoughStake.selector, 0, 4 * STAKE));
        attesters.attest(header, 0, "", new bytes(192));
    }

    function test_attest_leavingOrUnknownSigner_reverts() public {
        vm.prank(attesterOwners[1]);
        attesters.announceLeave(1);
        _attestFails(header, 15, abi.encodeWithSelector(IAttesters.Leaving.selector, 1));
        secrets[200] = 5;
        _attestFails(
            header, 13 | uint256(1) << 200, abi.encodeWithSelector(IAttesters.UnknownAttester.selector, 200)
        );
        _attest(header, 13);
    }

    function test_attest_wrongKeys_revert() public {
        bytes memory aggregate = _aggregate(header, 7);
        bytes memory keys = _keys(7);
        bytes memory others = bytes.concat(_keys(1), _keys(4), _keys(2));
        vm.expectRevert(abi.encodeWithSelector(IAttesters.WrongKey.selector, 1));
        attesters.attest(header, 7, others, aggregate);
        vm.expectRevert(abi.encodeWithSelector(IAttesters.WrongKeysLength.selector, 384, 512));
        attesters.attest(header, 15, keys, aggregate);
        vm.expectRevert(abi.encodeWithSelector(IAttesters.WrongKeysLength.selector, 385, 384));
        attesters.attest(header, 7, bytes.concat(keys, hex"00"), aggregate);
    }

    function test_attest_wrongAggregate_reverts() public {
        bytes memory keys = _keys(7);
        bytes[] memory wrong = new bytes[](5);
        wrong[0] = _aggregate(header, 15); // one signer more than the bitmap says
        wrong[1] = _aggregate(header, 3);
        Header memory other = header;
        other.postRoot = bytes31(uint248(1));
        wrong[2] = _aggregate(other, 7);
        wrong[3] = new bytes(192);
        wrong[4] = bytes.concat(_aggregate(header, 7), hex"00");
        for (uint256 i = 0; i < wrong.length; ++i) {
            vm.expectRevert(abi.encodeWithSelector(IAttesters.BadAggregate.selector));
            attesters.attest(header, 7, keys, wrong[i]);
        }
        // Signed as plain bytes, without the domain of attestations.
        uint256[] memory signers = new uint256[](3);
        (signers[0], signers[1], signers[2]) = (1, 2, 3);
        bytes memory plain = BlsSigner.signAll(signers, abi.encodePacked(hash));
        vm.expectRevert(abi.encodeWithSelector(IAttesters.BadAggregate.selector));
        attesters.attest(header, 7, keys, plain);
    }

    function test_attest_starvedOfGas_neverSaysBad() public {
        bytes memory keys = _keys(7);
        bytes memory aggregate = _aggregate(header, 7);
        bool passed = false;
        for (uint256 gas_ = 60_000; gas_ < 700_000 && !passed; gas_ += 7_919) {
            (bool done, bytes memory reason) = address(attesters).call{gas: gas_}(
                abi.encodeCall(IAttesters.attest, (header, 7, keys, aggregate))
            );
            passed = done;
            if (!done && reason.length >= 4) {
                assertNotEq(bytes32(bytes4(reason)), bytes32(IAttesters.BadAggregate.selector));
            }
        }
        assertTrue(passed, "some gas must do");
    }

    function test_attest_twice_reverts() public {
        _attest(header, 7);
        _attestFails(header, 15, abi.encodeWithSelector(IAttesters.AlreadyAttested.selector, hash));
    }

    function test_attest_genesisFinalOrUnknownBatch_reverts() public {
        Header memory genesis = headers[lane][0];
        _attestFails(
            genesis, 7, abi.encodeWithSelector(IAttesters.NotAttestable.selector, HeaderLib.hash(genesis))
        );
        Header memory unknown = header;
        unknown.postRoot = bytes31(uint248(5));
        _attestFails(unknown, 7, abi.encodeWithSelector(IRollup.NotLive.selector, lane, unknown.index));
        _makeFinal();
        _attestFails(header, 7, abi.encodeWithSelector(IAttesters.NotAttestable.selector, hash));
    }

    function test_attest_fallenBatch_reverts() public {
        _prove(header, headers[lane][0]);
        _attestFails(header, 7, abi.encodeWithSelector(IRollup.NotLive.selector, lane, header.index));
    }

    function test_message_isTheDomainAndTheHash() public view {
        bytes32 expected =
            sha256(abi.encodePacked("backfeed/1/attest", block.chainid, address(attesters), hash));
        assertEq(attesters.messageOf(hash), expected);
    }

    function test_attest_gas() public {
        bytes memory keys = _keys(15);
        bytes memory aggregate = _aggregate(header, 15);
        vm.cool(address(attesters));
        vm.cool(address(rollup));
        attesters.attest(header, 15, keys, aggregate);
        assertLt(vm.lastCallGas().gasTotalUsed, 320_000);
    }

    function test_attest_256Signers_fitsATransaction() public {
        for (uint256 i = 4; i < 256; ++i) {
            _joinAs(address(this), 1000 + i, Limits.MIN_STAKE_MICRO);
        }
        bytes memory keys = _keys(type(uint256).max);
        bytes memory aggregate = _aggregate(header, type(uint256).max);
        vm.cool(address(attesters));
        attesters.attest(header, type(uint256).max, keys, aggregate);
        assertLt(vm.lastCallGas().gasTotalUsed, 3_200_000);
    }
}
