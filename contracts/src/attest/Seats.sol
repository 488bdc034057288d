// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Attestation, Attester, IAttesters} from "../interfaces/IAttesters.sol";
import {Limits} from "../protocol/Limits.sol";
import {BlsSignature} from "../bls/BlsSignature.sol";

/// @notice Who attests, with what stake and key, and what of it signed a message (docs/protocol.md §11). Moves no tokens.
abstract contract Seats is IAttesters {
    /// Bit i: id i is held.
    uint256 private _held;
    uint96 private _total;
    /// Joins and slashes ever.
    uint32 internal _changes;
    mapping(uint32 id => Attester) private _attesters;
    mapping(bytes32 keyHash => bool) private _isTaken;

    // --- Views

    function totalStake() external view returns (uint256) {
        return _total;
    }

    function attester(uint32 id) external view returns (Attester memory) {
        return _attesters[id];
    }

    function attesters() external view returns (uint32[] memory ids, Attester[] memory found) {
        uint256 held = _held;
        uint256 count = _count(held);
        ids = new uint32[](count);
        found = new Attester[](count);
        uint256 next = 0;
        for (uint32 id = 0; next < count; ++id) {
            if (held >> id & 1 == 0) continue;
            ids[next] = id;
            found[next++] = _attesters[id];
        }
    }

    // --- Changes

    function announceLeave(uint32 id) external {
        Attester storage leaving = _own(id);
        if (leaving.releaseAt != 0) revert Leaving(id);
        leaving.releaseAt = uint64(block.timestamp + Limits.BOND_EXIT_SECONDS);
        _total -= leaving.stake;
        emit LeaveAnnounced(id, leaving.releaseAt);
    }

    function _join(bytes calldata key, bytes calldata possession, uint256 stake)
        internal
        returns (uint32 id)
    {
        if (stake < Limits.MIN_STAKE_MICRO) {
            revert StakeTooLow(stake, Limits.MIN_STAKE_MICRO);
        }
        bytes32 keyHash = keccak256(key);
        // An aggregate with one key twice would count a copy's stake by the other's signature.
        if (_isTaken[keyHash]) revert KeyTaken(keyHash);
        if (key.length != BlsSignature.KEY_BYTES) revert BadKey();
        if (!BlsSignature.verifyPossession(key, possession)) revert BadPossession();

        id = _freeId();
        _held |= uint256(1) << id;
        _isTaken[keyHash] = true;
        _addToTotal(stake);
        _attesters[id] = Attester({
            owner: msg.sender, stake: uint96(stake), releaseAt: 0, joined: ++_changes, keyHash: keyHash
        });
        emit AttesterJoined(id, msg.sender, key, stake);
    }

    function _addStake(uint32 id, uint256 amount) internal {
        Attester storage richer = _own(id);
        if (richer.releaseAt != 0) revert Leaving(id);
        _addToTotal(amount);
        richer.stake += uint96(amount);
        emit StakeAdded(id, amount, richer.stake);
    }

    function _leave(uint32 id, address to) internal returns (uint256 stake) {
        Attester storage leaving = _own(id);
        if (leaving.releaseAt == 0) revert NotLeaving(id);
        if (block.timestamp < leaving.releaseAt) revert StakeLocked(leaving.releaseAt);
        stake = leaving.stake;
        _remove(id, leaving);
        emit AttesterLeft(id, to, stake);
    }

    /// @notice Takes the stake of everyone who signed and is still there; an id's later holder is left alone.
    function _removeSigners(bytes32 headerHash, Attestation storage signed)
        internal
        returns (uint256 slashed)
    {
        uint256 left = signed.signers;
        for (uint32 id = 0; left != 0; ++id) {
            bool isSigner = left & 1 == 1;
            left >>= 1;
            Attester storage signer = _attesters[id];
            if (!isSigner || signer.joined == 0 || signer.joined > signed.change) continue;
            uint96 stake = signer.stake;
            slashed += stake;
            if (signer.releaseAt == 0) _total -= stake;
            _remove(id, signer);
            emit AttesterSlashed(id, headerHash, stake);
        }
    }

    // --- Signatures

    /// @return signed stake of the bitmap's attesters
    function _requireSigned(bytes32 message, uint256 bitmap, bytes calldata keys, bytes calldata aggregate)
        internal
        view
        returns (uint256 signed)
    {
        uint256 count = _count(bitmap);
        if (keys.length != count * BlsSignature.KEY_BYTES) {
            revert WrongKeysLength(keys.length, count * BlsSignature.KEY_BYTES);
        }
        uint256 from = 0;
        for (uint32 id = 0; from < keys.length; ++id) {
            if (bitmap >> id & 1 == 0) continue;
            signed += _signerStake(id, keccak256(keys[from:from + BlsSignature.KEY_BYTES]));
            from += BlsSignature.KEY_BYTES;
        }
        if (signed * 3 <= uint256(_total) * 2) revert NotEnoughStake(signed, _total);
        if (!BlsSignature.verifyCommon(keys, abi.encodePacked(message), aggregate)) revert BadAggregate();
    }

    function _signerStake(uint32 id, bytes32 keyHash) private view returns (uint256) {
        Attester storage signer = _attesters[id];
        if (signer.joined == 0) revert UnknownAttester(id);
        if (signer.releaseAt != 0) revert Leaving(id);
        if (signer.keyHash != keyHash) revert WrongKey(id);
        return signer.stake;
    }

    // --- Inner workings

    function _own(uint32 id) private view returns (Attester storage owned) {
        owned = _attesters[id];
        if (owned.joined == 0) revert UnknownAttester(id);
        if (msg.sender != owned.owner) revert NotAttesterOwner(id, msg.sender);
    }

    function _remove(uint32 id, Attester storage gone) private {
        delete _isTaken[gone.keyHash];
        delete _attesters[id];
        _held &= ~(uint256(1) << id);
    }

    function _addToTotal(uint256 amount) private {
        uint256 total = uint256(_total) + amount;
        if (total > type(uint96).max) revert StakeTooHigh(total);
        _total = uint96(total);
    }

    function _freeId() private view returns (uint32 id) {
        uint256 held = _held;
        if (held == type(uint256).max) revert TooManyAttesters();
        while (held >> id & 1 == 1) ++id;
    }

    function _count(uint256 bits) private pure returns (uint256 count) {
        for (; bits != 0; bits &= bits - 1) {
            ++count;
        }
    }
}
