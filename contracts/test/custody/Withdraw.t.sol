// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IRollup} from "../../src/interfaces/IRollup.sol";
import {Claim, IVault, RootParts} from "../../src/interfaces/IVault.sol";
import {Header} from "../../src/protocol/Header.sol";
import {Limits} from "../../src/protocol/Limits.sol";
import {Crediting} from "./Crediting.sol";

contract WithdrawTest is Crediting {
    uint256[] internal credits;
    Header internal state;

    function setUp() public override {
        super.setUp();
        _enrolDrivers(3);
        _fund(lane, 1_000_000_000);
        credits = [uint256(10_000_000), 0, 30_000_000];
        state = _postCredits(credits);
        _makeFinal();
    }

    function _refused(Header memory header, RootParts memory parts, Claim memory claim, bytes memory reason)
        internal
    {
        vm.expectRevert(reason);
        vault.withdraw(header, parts, claim);
        Claim[] memory claims = new Claim[](1);
        claims[0] = claim;
        vm.expectRevert(reason);
        vault.withdrawMany(header, parts, claims);
    }

    /// Arguments are hashed before the expectation: hashing calls a precompile, which would use the expectation up.
    function _nothing(Header memory header, uint256[] memory of_, uint32 slot) internal {
        RootParts memory parts = _parts(of_);
        Claim memory claim = _claim(of_, slot);
        vm.expectRevert(abi.encodeWithSelector(IVault.NothingToWithdraw.selector, slot));
        vault.withdraw(header, parts, claim);
    }

    function test_withdraw_final_paysVehicleOwner() public {
        RootParts memory parts = _parts(credits);
        Claim memory claim = _claim(credits, 2);
        vm.expectEmit(address(vault));
        emit IVault.Withdrawn(lane, 2, 3, owners[2], 30_000_000);
        vm.prank(stranger);
        assertEq(vault.withdraw(state, parts, claim), 30_000_000);
        assertEq(token.balanceOf(owners[2]), 30_000_000);
        assertEq(token.balanceOf(stranger), 0);
        assertEq(vault.withdrawn(lane, 2), 30_000_000);
        assertEq(vault.paidOut(lane), 30_000_000);
    }

    function test_withdraw_twice_paysOnce() public {
        vault.withdraw(state, _parts(credits), _claim(credits, 0));
        _nothing(state, credits, 0);
        assertEq(token.balanceOf(owners[0]), 10_000_000);
    }

    function test_withdraw_noCredit_reverts() public {
        _nothing(state, credits, 1);
    }

    function test_withdraw_laterState_paysDifference_olderStateNothing() public {
        Header memory older = state;
        uint256[] memory before = credits;
        vault.withdraw(older, _parts(before), _claim(before, 0));
        credits = [uint256(17_000_000), 5, 30_000_000];
        Header memory newer = _postCredits(credits);
        _makeFinal();
        assertEq(vault.withdraw(newer, _parts(credits), _claim(credits, 0)), 7_000_000);
        _nothing(older, before, 0);
        assertEq(token.balanceOf(owners[0]), 17_000_000);
        // The older state is as final as before for whoever hasn't withdrawn.
        assertEq(vault.withdraw(older, _parts(before), _claim(before, 2)), 30_000_000);
    }

    function test_withdraw_vehicleSold_paysNewOwner() public {
        vm.prank(owners[0]);
        vehicle.transferFrom(owners[0], stranger, 1);
        vault.withdraw(state, _parts(credits), _claim(credits, 0));
        assertEq(token.balanceOf(stranger), 10_000_000);
    }

    function test_withdraw_contractEnded_stillPays() public {
        vm.prank(operator);
        registry.endContract(lane, 0, uint32(_now() + Limits.NOTICE_SECONDS), "");
        _pass(30 * DAY);
        assertEq(vault.withdraw(state, _parts(credits), _claim(credits, 0)), 10_000_000);
    }

    function test_withdraw_operatorGone_stillPays() public {
        vm.prank(laneOwner);
        rollup.setOperator(lane, address(0));
        _pass(3650 * DAY);
        assertEq(vault.withdraw(state, _parts(credits), _claim(credits, 0)), 10_000_000);
    }

    function test_withdraw_notFinal_reverts() public {
        Header memory young = _postCredits(credits);
        bytes memory reason = abi.encodeWithSelector(
            IRollup.NotFinal.selector, lane, young.index, _now() + Limits.WINDOW_SECONDS
        );
        _refused(young, _parts(credits), _claim(credits, 0), reason);
    }

    function test_withdraw_fallenState_reverts() public {
        uint256[] memory stolen = credits;
        stolen[0] = 900_000_000;
        Header memory bad = _postCredits(stolen);
        _pass(12);
        _prove(bad, state);
        _makeFinal();
        bytes memory reason = abi.encodeWithSelector(IRollup.NotLive.selector, lane, bad.index);
        _refused(bad, _parts(stolen), _claim(stolen, 0), reason);
    }

    function test_withdraw_forgedHeader_reverts() public {
        uint256[] memory stolen = credits;
        stolen[0] = 900_000_000;
        Header memory forged = state;
        forged.postRoot = _root(stolen, _sum(stolen));
        bytes memory reason = abi.encodeWithSelector(IRollup.NotLive.selector, lane, forged.index);
        _refused(forged, _parts(stolen), _claim(stolen, 0), reason);
    }

    function test_withdraw_wrongLeafPathOrParts_reverts() public {
        bytes memory reason = abi.encodeWithSelector(IVault.WrongPath.selector, 0);
        Claim memory claim = _claim(credits, 0);
        claim.leaf = _leaf(10_000_001);
        _refused(state, _parts(credits), claim, reason);

        for (uint256 level = 0; level < 20; ++level) {
            claim = _claim(credits, 0);
            claim.path[level] ^= bytes32(uint256(1));
            _refused(state, _parts(credits), claim, reason);
        }
        claim = _claim(credits, 0);
        RootParts memory parts = _parts(credits);
        parts.evseRoot ^= bytes32(uint256(1));
        _refused(state, parts, claim, reason);
        parts = _parts(credits);
        parts.laneHash ^= bytes32(uint256(1));
        _refused(state, parts, claim, reason);
    }

    function test_withdraw_anotherSlotsLeaf_reverts() public {
        Claim memory claim = _claim(credits, 2);
        claim.slot = 0;
        claim.descriptor = descriptors[0];
        _refused(state, _parts(credits), claim, abi.encodeWithSelector(IVault.WrongPath.selector, 0));
        // Slot 2 + 2^20 has the same path bits.
        claim.slot = 2 + uint32(Limits.MAX_SLOTS);
        _refused(
            state,
            _parts(credits),
            claim,
            abi.encodeWithSelector(IVault.WrongPathLength.selector, claim.slot, 20)
        );
    }

    function test_withdraw_pathOfOtherLength_reverts() public {
        Claim memory claim = _claim(credits, 0);
        claim.path = new bytes32[](19);
        _refused(
            state, _parts(credits), claim, abi.encodeWithSelector(IVault.WrongPathLength.selector, 0, 19)
        );
        claim.path = new bytes32[](21);
        _refused(
            state, _parts(credits), claim, abi.encodeWithSelector(IVault.WrongPathLength.selector, 0, 21)
        );
    }

    function test_withdraw_anotherVehiclesDescriptor_reverts() public {
        Claim memory claim = _claim(credits, 0);
        claim.descriptor = descriptors[1];
        _refused(state, _parts(credits), claim, abi.encodeWithSelector(IVault.WrongDescriptor.selector, 0));
    }

    function test_withdraw_beyondLanesFunding_reverts() public {
        uint32 other = _openLane();
        _fund(other, 5_000_000_000);
        // A state that no honest lane reaches and that nobody proved false in time.
        credits = [uint256(1_000_000_001), 600_000_000, 0];
        Header memory insolvent = _postCredits(credits);
        _makeFinal();
        bytes memory reason =
            abi.encodeWithSelector(IVault.LaneInsolvent.selector, lane, 1_000_000_001, 1_000_000_000);
        _refused(insolvent, _parts(credits), _claim(credits, 0), reason);
        vault.withdraw(insolvent, _parts(credits), _claim(credits, 1));
        reason = abi.encodeWithSelector(IVault.LaneInsolvent.selector, lane, 1_000_000_001, 400_000_000);
        _refused(insolvent, _parts(credits), _claim(credits, 0), reason);
    }

    function test_withdraw_hugeCredit_revertsAndDoesNotTruncate() public {
        credits[0] = uint256(1) << 96;
        Header memory insolvent = _postRoot(lane, _root(credits, 0));
        _makeFinal();
        RootParts memory parts = _parts(new uint256[](1));
        _refused(
            insolvent,
            parts,
            _claim(credits, 0),
            abi.encodeWithSelector(IVault.LaneInsolvent.selector, lane, uint256(1) << 96, 1_000_000_000)
        );
    }

    // --- Many

    function test_withdrawMany_paysAll_skipsEmpty() public {
        assertEq(vault.withdrawMany(state, _parts(credits), _claims(credits)), 40_000_000);
        assertEq(token.balanceOf(owners[0]), 10_000_000);
        assertEq(token.balanceOf(owners[1]), 0);
        assertEq(token.balanceOf(owners[2]), 30_000_000);
        assertEq(vault.withdrawMany(state, _parts(credits), _claims(credits)), 0);
    }

    function test_withdrawMany_sameClaimTwice_paysOnce() public {
        Claim[] memory claims = new Claim[](3);
        (claims[0], claims[1], claims[2]) = (_claim(credits, 2), _claim(credits, 2), _claim(credits, 2));
        assertEq(vault.withdrawMany(state, _parts(credits), claims), 30_000_000);
        assertEq(token.balanceOf(owners[2]), 30_000_000);
    }

    function test_withdrawMany_laterClaimWrong_reverts() public {
        Claim[] memory claims = _claims(credits);
        claims[2].leaf = _leaf(30_000_001);
        RootParts memory parts = _parts(credits);
        vm.expectRevert(abi.encodeWithSelector(IVault.WrongPath.selector, 2));
        vault.withdrawMany(state, parts, claims);
    }

    function testFuzz_withdraw_anyStates_paysHighestCreditOnce(uint96[6] memory seeds) public {
        uint256 paid = 0;
        uint256 highest = 10_000_000;
        vault.withdraw(state, _parts(credits), _claim(credits, 0));
        for (uint256 i = 0; i < seeds.length; ++i) {
            credits[0] = bound(seeds[i], 0, 900_000_000);
            Header memory next = _postCredits(credits);
            _makeFinal();
            Claim[] memory claims = new Claim[](1);
            claims[0] = _claim(credits, 0);
            paid += vault.withdrawMany(next, _parts(credits), claims);
            if (credits[0] > highest) highest = credits[0];
        }
        assertEq(token.balanceOf(owners[0]), highest);
        assertEq(paid + 10_000_000, highest);
    }
}
