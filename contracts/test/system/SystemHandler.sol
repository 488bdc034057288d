// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Attester} from "../../src/interfaces/IAttesters.sol";
import {Reading} from "../../src/interfaces/ICourt.sol";
import {Finding} from "../../src/interfaces/IFraudVerifier.sol";
import {PromiseEvidence, Receipt} from "../../src/interfaces/IPromises.sol";
import {Submission} from "../../src/interfaces/IRollup.sol";
import {Claim} from "../../src/interfaces/IVault.sol";
import {Header} from "../../src/protocol/Header.sol";
import {Limits} from "../../src/protocol/Limits.sol";
import {TestTree} from "../custody/TestTree.sol";
import {SystemFixture} from "./SystemFixture.sol";

/// @notice Every public call of every contract, mixed: a lane with drivers that settles honestly until somebody proves it false, a
/// lane that nobody touches, owners, attesters, meters, a lane's operator and strangers who try what isn't theirs.
contract SystemHandler is SystemFixture {
    uint256 public ghostPaid;
    uint256 public ghostRefunded;
    uint256 public ghostReleased;
    /// Calls that only another contract may make, and that went through.
    uint256 public ghostTrespasses;

    // --- Time and money

    function pass(uint256 seconds_) external {
        _pass(bound(seconds_, 12, 3 * DAY));
    }

    function fund(uint256 amount) external {
        _fund(lane, bound(amount, 1, 1_000_000_000));
    }

    function notice(uint256 amount) external {
        vm.prank(zoneOperator);
        vault.noticeRefund(lane, bound(amount, 1, 1_000_000_000));
        ++notices;
    }

    function refund(uint32 notice_) external {
        if (notices == 0) return;
        Header memory header = _newestFinal();
        uint256[] memory of_ = creditsOf[header.postRoot];
        uint256 before = token.balanceOf(zoneOperator);
        vm.prank(zoneOperator);
        vault.claimRefund(
            header, notice_ % notices, EVSE_ROOT, TestTree.root(_leaves(of_)), _laneLeaf(_sum(of_))
        );
        ghostRefunded += token.balanceOf(zoneOperator) - before;
    }

    // --- Batches

    function post(uint256 slot, uint256 amount, bool taking) external {
        uint256 spent = _sum(credits);
        uint256 funded = vault.fundedAt(lane, uint32(_now() - 1));
        if (funded <= spent) return;
        uint256[] memory next = credits;
        next[slot % DRIVERS] += bound(amount, 0, funded - spent < 300_000_000 ? funded - spent : 300_000_000);
        Submission memory submission = _submission(lane, 1);
        submission.postRoot = _root(next, _sum(next));
        uint64 pointer = rollup.lane(lane).forcedEnd;
        // An honest operator takes what is due.
        bytes32 oldest = forcedQueue.wordAt(lane, pointer + 1);
        bool due = oldest != 0 && _now() > uint32(uint256(oldest)) + Limits.FORCED_DUE_SECONDS;
        submission.forcedEnd = taking || due ? _queueEnd(pointer) : pointer;
        _submit(operator, submission);
        credits = next;
        creditsOf[submission.postRoot] = next;
        _pass(12);
    }

    /// A stranger posts forced chunks, where that is open to anyone.
    function postForeign() external {
        Submission memory submission = _submission(lane, 1);
        submission.postRoot = _tip(lane).postRoot;
        submission.forcedEnd = _queueEnd(rollup.lane(lane).forcedEnd);
        creditsOf[submission.postRoot] = credits;
        _submit(stranger, submission);
        _pass(12);
    }

    function force(uint256 salt) external {
        bytes24 record =
            bytes24(abi.encodePacked(uint32(salt % EVSES), uint160(uint256(keccak256(abi.encode(salt))))));
        bytes8 place = bytes8(abi.encodePacked(int32(525_200_000), int32(-1_799_999_999)));
        bytes32 digest = sha256(abi.encodePacked(rollup.domainOf(lane), record, place));
        (bytes32 r, bytes32 s) = vm.signP256(0xe0 + salt % EVSES, digest);
        vm.deal(address(this), 1 ether);
        forcedQueue.forceRecord{value: Limits.FORCE_FEE_WEI}(
            lane, record, evseDescriptors[salt % EVSES], abi.encodePacked(r, s)
        );
    }

    function prove(uint256 depth) external {
        uint256 count = headers[lane].length;
        if (count < 2) return;
        uint256 index = count - 1 - bound(depth, 0, count - 2 < 2 ? count - 2 : 2);
        Header memory bad = headers[lane][index];
        if (rollup.isFinal(bad) || _now() + 30 >= rollup.requireLive(bad) + Limits.WINDOW_SECONDS) return;
        _prove(bad, headers[lane][index - 1]);
        credits = index == 1 ? new uint256[](DRIVERS) : creditsOf[headers[lane][index - 1].postRoot];
    }

    function seeFinal(uint256 pick) external {
        Header memory header = _picked(pick);
        if (rollup.isFinal(header)) finals.push(header);
    }

    function bond(uint256 amount, uint256 what) external {
        vm.startPrank(stranger);
        if (what % 4 == 0) rollup.announceBondExit();
        else if (what % 4 == 1) rollup.cancelBondExit();
        else if (what % 4 == 2) rollup.withdrawBond(payable(stranger));
        vm.stopPrank();
        if (what % 4 == 3) _bond(stranger, bound(amount, 1, 20 ether));
    }

    // --- Owners

    function withdraw(bool old, uint256 pick, uint256 slot) external {
        Header memory header = old ? _picked(pick) : _newestFinal();
        uint256[] memory of_ = creditsOf[header.postRoot];
        Claim[] memory claims = new Claim[](2);
        (claims[0], claims[1]) = (_claim(of_, uint32(slot % DRIVERS)), _claim(of_, uint32(slot % DRIVERS)));
        ghostPaid += vault.withdrawMany(header, _parts(of_), claims);
    }

    function withdrawFast(uint256 pick, uint256 slot) external {
        if (attested.length == 0) return;
        Header memory header =
            attested[attested.length - 1 - bound(pick, 0, attested.length < 4 ? attested.length - 1 : 3)];
        uint256[] memory of_ = creditsOf[header.postRoot];
        ghostPaid += vault.withdrawFast(header, _parts(of_), _claim(of_, uint32(slot % DRIVERS)));
    }

    // --- Attesters

    function attest(uint256 pick) external {
        Header memory header = _picked(pick);
        (uint32[] memory ids, Attester[] memory found) = attesters.attesters();
        uint256 bitmap = 0;
        for (uint256 i = 0; i < ids.length; ++i) {
            if (found[i].releaseAt == 0) bitmap |= uint256(1) << ids[i];
        }
        _attest(header, bitmap);
        attested.push(header);
    }

    function comeAndGo(uint256 pick) external {
        (uint32[] memory ids, Attester[] memory found) = attesters.attesters();
        if (ids.length < 3) {
            _join(STAKE);
            return;
        }
        uint256 i = pick % ids.length;
        vm.startPrank(found[i].owner);
        if (found[i].releaseAt == 0) attesters.announceLeave(ids[i]);
        else attesters.withdrawStake(ids[i], found[i].owner);
        vm.stopPrank();
    }

    function slash(uint256 pick) external {
        if (attested.length == 0) return;
        uint256 before = vault.paidOut(lane);
        vm.prank(stranger);
        attesters.slash(attested[pick % attested.length]);
        ghostPaid -= before - vault.paidOut(lane);
    }

    function settle(uint256 pick) external {
        if (attested.length != 0) attesters.settle(attested[pick % attested.length]);
    }

    // --- The court

    function exhibit(uint256 pick, uint32 evse, uint32 slot, uint256 amount) external {
        Header memory header = _picked(pick);
        Header memory parent = headers[lane][header.index - 1];
        uint32 start = uint32(START / 15) - 500 + uint32(++seed % 5);
        uint192 record = uint192(
            uint256(evse % EVSES) << 160 | uint256(slot % DRIVERS) << 128 | uint256(start) << 96 | 4 << 88
                | 1_000 << 64
        );
        verifier.answer(header.postRoot, header.postRoot);
        verifier.find(
            header.postRoot, 0, uint32(seed), Finding(record, true, bound(amount, 1, 40_000_000), false)
        );
        exhibits.push(court.exhibit(header, parent, 0, uint32(seed), "proof"));
    }

    function dispute(uint256 pick, uint256 wh) external {
        if (exhibits.length == 0) return;
        bytes32 id = exhibits[pick % exhibits.length];
        Reading memory reading = _gridReading(id, uint24(bound(wh, 0, 979)));
        vm.prank(stranger);
        court.openDispute(id, reading);
    }

    function plug(uint256 pick, uint256 pickOther) external {
        if (exhibits.length == 0) return;
        court.openDoublePlug(exhibits[pick % exhibits.length], exhibits[pickOther % exhibits.length]);
    }

    function resolve(uint256 pick) external {
        uint256 count = court.claimCount();
        if (count == 0) return;
        uint256 id = 1 + pick % count;
        if (court.claimOf(id).other != 0) court.resolveDoublePlug(id);
        else court.resolveDispute(id, evseDescriptors[court.exhibitOf(court.claimOf(id).exhibit).evse]);
    }

    function equivocate(uint256 evse) external {
        uint192 first = uint192((evse % EVSES) << 160 | uint256(5_000) << 96 | 4 << 88 | 1);
        bytes memory signatures = bytes.concat(_signed(first, evse % EVSES), _signed(first + 1, evse % EVSES));
        vm.prank(stranger);
        court.proveEquivocation(lane, evseDescriptors[evse % EVSES], first, first + 1, signatures);
    }

    function endAndRelease(uint256 evse) external {
        uint32 slot = uint32(evse % EVSES);
        vm.prank(operator);
        try registry.endEvse(lane, slot, uint32(_now() + 3600)) {}
        catch {
            uint256 before = token.balanceOf(laneOwner);
            registry.releaseDeposit(lane, slot, evseDescriptors[slot]);
            ghostReleased += token.balanceOf(laneOwner) - before;
        }
    }

    // --- Promises

    /// A receipt for position 11, where every state of the tests stands, and a chunk with the promised row or another.
    function breakPromise(uint256 pick, bool broken) external {
        Header memory header = _picked(pick);
        Header memory parent = headers[lane][header.index - 1];
        bytes memory row = new bytes(88);
        row[0] = bytes1(uint8(++seed));
        row[1] = 0x01;
        Receipt memory receipt;
        receipt.lane = lane;
        receipt.firstPosition = 11;
        receipt.position = 11;
        receipt.count = 1;
        receipt.time = uint32(_now());
        receipt.row = row;
        receipt.root = _leafOfRow(row);
        receipt.signature = signPacked(operatorKey, _receiptDigest(receipt));
        uint256[] memory of_ = parent.index == 0 ? new uint256[](DRIVERS) : creditsOf[parent.postRoot];
        PromiseEvidence memory evidence;
        evidence.evseRoot = EVSE_ROOT;
        evidence.contractRoot = TestTree.root(_leaves(of_));
        evidence.laneLeaf = _laneLeaf(_sum(of_));
        evidence.proof = "proof";
        bytes memory held = bytes.concat(row, new bytes(1953 - 88));
        if (broken) held[87] = 0x07;
        verifier.holdChunk(0, held);
        vm.prank(stranger);
        try promises.brokenPromise(receipt, header, parent, evidence) {
            if (!broken) ++ghostTrespasses;
        } catch {}
    }

    // --- What isn't theirs

    function trespass(uint256 what, uint256 amount) external {
        vm.startPrank(stranger);
        bytes memory call = what % 8 == 0
            ? abi.encodeCall(vault.refill, (lane, amount))
            : what % 8 == 1
                ? abi.encodeCall(vault.setHold, (lane, 0, uint64(amount)))
                : what % 8 == 2 ? abi.encodeCall(vault.clawBack, (lane, 0, amount)) : bytes("");
        address target = address(vault);
        if (what % 8 == 3) {
            (target, call) = (address(registry), abi.encodeCall(registry.endByCourt, (lane, 0)));
        }
        if (what % 8 == 4) {
            (target, call) =
            (address(registry), abi.encodeCall(registry.takeDeposit, (lane, 0, amount, evseDescriptors[0])));
        }
        if (what % 8 == 5) {
            (target, call) =
            (address(rollup), abi.encodeCall(rollup.slashForPromise, (operator, payable(stranger))));
        }
        if (what % 8 == 6) {
            (target, call) =
            (address(attesters), abi.encodeCall(attesters.draw, (bytes32(amount), lane, amount, amount)));
        }
        if (what % 8 == 7) {
            (target, call) = (address(rollup), abi.encodeCall(rollup.setOperator, (lane, stranger)));
        }
        (bool done,) = target.call(call);
        if (done) ++ghostTrespasses;
        vm.stopPrank();
    }

    // --- Observations

    function finalsStillFinal() external view returns (bool) {
        for (uint256 i = 0; i < finals.length; ++i) {
            if (!rollup.isFinal(finals[i])) return false;
        }
        return true;
    }

    function books(uint32 id) external view returns (uint256 lifetime, uint256 paidOut, uint256 refunds) {
        return (vault.lifetimeFunding(id), vault.paidOut(id), vault.refundsPaid(id));
    }

    function balances()
        external
        view
        returns (uint256 inVault, uint256 inAttesters, uint256 inRegistry, uint256 inCourt, uint256 inRollup)
    {
        return (
            _held(address(vault)),
            _held(address(attesters)),
            _held(address(registry)),
            _held(address(court)),
            address(rollup).balance
        );
    }

    function stakes() external view returns (uint256 staked) {
        (, Attester[] memory found) = attesters.attesters();
        for (uint256 i = 0; i < found.length; ++i) {
            staked += found[i].stake;
        }
        staked += attesters.reserve();
    }

    function deposits() external view returns (uint256 left) {
        left = EVSES * DEPOSIT - ghostReleased;
        for (uint32 i = 0; i < EVSES; ++i) {
            left -= registry.depositTaken(lane, i);
        }
    }

    /// Bonds of open disputes, and what could not be paid out.
    function courtOwes() external view returns (uint256 owed) {
        for (uint256 id = 1; id <= court.claimCount(); ++id) {
            bool isDispute = court.claimOf(id).other == 0;
            if (isDispute && !court.claimOf(id).closed) owed += Limits.DISPUTE_BOND_MICRO;
        }
        owed += court.dueOf(stranger) + court.dueOf(laneOwner) + court.dueOf(DEAD);
    }

    function bonds() external view returns (uint256 sum) {
        (uint256 ofOperator,) = rollup.bondOf(operator);
        (uint256 ofStranger,) = rollup.bondOf(stranger);
        return ofOperator + ofStranger;
    }

    function ownersHold() external view returns (uint256 sum) {
        for (uint256 i = 0; i < DRIVERS; ++i) {
            sum += token.balanceOf(owners[i]);
        }
    }

    /// What every contract was paid, with what was taken back, never passes the most that any state gave it.
    function overpaid() external view returns (bool) {
        for (uint32 slot = 0; slot < DRIVERS; ++slot) {
            if (vault.withdrawn(lane, slot) != token.balanceOf(owners[slot])) return true;
        }
        return false;
    }

    function forcedBooks() external view returns (uint64 pointer, uint64 length) {
        return (rollup.lane(lane).forcedEnd, forcedQueue.length(lane));
    }
}
