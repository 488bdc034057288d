// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {IERC721} from "@openzeppelin/contracts/token/ERC721/IERC721.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {ExactTransfer} from "../ExactTransfer.sol";
import {IAttesters} from "../interfaces/IAttesters.sol";
import {IRegistry} from "../interfaces/IRegistry.sol";
import {IRollup} from "../interfaces/IRollup.sol";
import {Claim, IVault, RootParts} from "../interfaces/IVault.sol";
import {ContractDescriptor, SlotWord} from "../protocol/Descriptor.sol";
import {Header, HeaderLib} from "../protocol/Header.sol";
import {Leaf} from "../protocol/Leaf.sol";
import {Limits} from "../protocol/Limits.sol";
import {StateTree} from "../protocol/StateTree.sol";
import {Funding} from "./Funding.sol";

/// @notice Custody of the lanes' money (docs/protocol.md §9). Nobody can pause it, and no lane pays out more than its own
/// funding, whatever its states say.
contract Vault is Funding, ReentrancyGuardTransient {
    using ExactTransfer for IERC20;
    using SafeERC20 for IERC20;

    struct Account {
        uint96 withdrawn;
        /// What the court took of the credit.
        uint96 clawback;
        /// First batch that withdrawals may not use; 0 for none, as batch 0 credits nobody.
        uint64 holdFrom;
    }

    IRollup public immutable rollup;
    IRegistry public immutable registry;
    IERC721 public immutable vehicle;
    IERC20 public immutable token;
    IAttesters public immutable attesters;
    /// @notice Holds withdrawals and claws credits back.
    address public immutable court;

    mapping(uint32 lane => mapping(uint32 slot => Account)) private _accounts;

    constructor(
        IRollup rollup_,
        IRegistry registry_,
        IERC721 vehicle_,
        IERC20 token_,
        IAttesters attesters_,
        address court_
    ) {
        rollup = rollup_;
        registry = registry_;
        vehicle = vehicle_;
        token = token_;
        attesters = attesters_;
        court = court_;
    }

    // --- Funding and refunds

    function fund(uint32 lane, uint256 amount) external nonReentrant {
        rollup.zoneOf(lane);
        _addFunding(lane, amount);
        token.take(msg.sender, amount);
    }

    function noticeRefund(uint32 lane, uint256 amount) external returns (uint32 notice) {
        _requireZoneOperator(lane);
        return _addNotice(lane, amount);
    }

    function claimRefund(
        Header calldata header,
        uint32 notice,
        bytes32 evseRoot,
        bytes32 contractRoot,
        bytes32 laneLeaf
    ) external nonReentrant {
        uint32 lane = header.lane;
        _requireZoneOperator(lane);
        rollup.requireFinal(header);
        _requireSeen(header, _openNotice(lane, notice).effectiveFrom);
        if (StateTree.stateRoot(evseRoot, contractRoot, StateTree.hashPair(laneLeaf, 0)) != header.postRoot) {
            revert WrongState();
        }
        uint256 paid =
            _settleNotice({lane: lane, notice: notice, spent: Leaf.toLane(laneLeaf).spent, to: msg.sender});
        if (paid != 0) token.safeTransfer(msg.sender, paid);
    }

    // --- Withdrawing

    function withdraw(Header calldata header, RootParts calldata parts, Claim calldata claim)
        external
        nonReentrant
        returns (uint256 paid)
    {
        rollup.requireFinal(header);
        _requireClaimable(header, parts, claim);
        paid = _pay(header, claim);
        if (paid == 0) revert NothingToWithdraw(claim.slot);
    }

    function withdrawMany(Header calldata header, RootParts calldata parts, Claim[] calldata claims)
        external
        nonReentrant
        returns (uint256 paid)
    {
        rollup.requireFinal(header);
        bytes32 known = 0;
        for (uint256 i = 0; i < claims.length; ++i) {
            Claim calldata claim = claims[i];
            bytes32 contractRoot = _contractRoot(claim);
            if (i == 0) {
                if (StateTree.stateRoot(parts.evseRoot, contractRoot, parts.laneHash) != header.postRoot) {
                    revert WrongPath(claim.slot);
                }
                known = contractRoot;
            } else if (contractRoot != known) {
                revert WrongPath(claim.slot);
            }
            paid += _pay(header, claim);
        }
    }

    function withdrawFast(Header calldata header, RootParts calldata parts, Claim calldata claim)
        external
        nonReentrant
        returns (uint256 paid)
    {
        rollup.requireLive(header);
        _requireClaimable(header, parts, claim);
        uint256 escrow = _escrow(header.lane);
        address owner;
        (owner, paid) = _debit(header, claim);
        if (paid == 0) revert NothingToWithdraw(claim.slot);
        // Nobody need answer any more for what is final.
        if (!rollup.isFinal(header)) {
            attesters.draw({
                headerHash: HeaderLib.hash(header), lane: header.lane, amount: paid, escrow: escrow
            });
        }
        token.safeTransfer(owner, paid);
    }

    function refill(uint32 lane, uint256 amount) external nonReentrant {
        if (msg.sender != address(attesters)) revert NotAttesters(msg.sender);
        _refill(lane, amount);
        token.take(msg.sender, amount);
    }

    // --- The court's

    function setHold(uint32 lane, uint32 slot, uint64 holdFrom) external {
        _requireCourt();
        _accounts[lane][slot].holdFrom = holdFrom;
        emit HoldSet(lane, slot, holdFrom);
    }

    function clawBack(uint32 lane, uint32 slot, uint256 amount) external {
        _requireCourt();
        Account storage account = _accounts[lane][slot];
        uint256 clawback = account.clawback + amount;
        account.clawback = SafeCast.toUint96(clawback);
        emit ClawedBack(lane, slot, amount, clawback);
    }

    // --- Views

    function withdrawn(uint32 lane, uint32 slot) external view returns (uint256) {
        return _accounts[lane][slot].withdrawn;
    }

    function clawbackOf(uint32 lane, uint32 slot) external view returns (uint256 clawback, uint64 holdFrom) {
        Account memory account = _accounts[lane][slot];
        return (account.clawback, account.holdFrom);
    }

    // --- Inner workings

    function _requireCourt() private view {
        if (msg.sender != court) revert NotCourt(msg.sender);
    }

    function _isHeld(uint64 holdFrom, uint64 index) private pure returns (bool) {
        return holdFrom != 0 && index >= holdFrom;
    }

    function _requireZoneOperator(uint32 lane) private view {
        uint32 zone = rollup.zoneOf(lane);
        if (msg.sender != registry.zone(zone).operator) revert NotZoneOperator(zone, msg.sender);
    }

    /// The header's state has seen the notice, or no other state will ever spend from before it: whatever had an
    /// earlier `asOf` was posted within 3 hours and has been final since.
    function _requireSeen(Header calldata header, uint32 effectiveFrom) private view {
        if (header.asOf >= effectiveFrom) return;
        uint256 abandonedAt = uint256(effectiveFrom) + Limits.AS_OF_MAX_AGE_SECONDS + Limits.WINDOW_SECONDS;
        bool isTip = rollup.lane(header.lane).tip == header.index;
        if (!isTip || block.timestamp < abandonedAt) revert RefundTooEarly(header.asOf, effectiveFrom);
    }

    function _contractRoot(Claim calldata claim) private view returns (bytes32) {
        if (claim.path.length != Limits.TREE_DEPTH || claim.slot >= Limits.MAX_SLOTS) {
            revert WrongPathLength(claim.slot, claim.path.length);
        }
        return StateTree.pathRoot(claim.leaf, claim.slot, claim.path);
    }

    function _requireClaimable(Header calldata header, RootParts calldata parts, Claim calldata claim)
        private
        view
    {
        if (StateTree.stateRoot(parts.evseRoot, _contractRoot(claim), parts.laneHash) != header.postRoot) {
            revert WrongPath(claim.slot);
        }
        uint64 holdFrom = _accounts[header.lane][claim.slot].holdFrom;
        if (_isHeld(holdFrom, header.index)) revert Held(claim.slot, holdFrom);
    }

    /// The claim's path is proven; pays what its credit exceeds earlier payments and clawbacks by, nothing while it is held.
    function _pay(Header calldata header, Claim calldata claim) private returns (uint256 amount) {
        address owner;
        (owner, amount) = _debit(header, claim);
        if (amount != 0) token.safeTransfer(owner, amount);
    }

    /// The books of a payment, without the payment.
    function _debit(Header calldata header, Claim calldata claim)
        private
        returns (address owner, uint256 amount)
    {
        uint32 lane = header.lane;
        Account memory account = _accounts[lane][claim.slot];
        if (_isHeld(account.holdFrom, header.index)) return (address(0), 0);
        uint256 credited = Leaf.toContract(claim.leaf).credited;
        uint256 taken = uint256(account.withdrawn) + account.clawback;
        if (credited <= taken) return (address(0), 0);
        amount = credited - taken;
        if (!SlotWord.matches(registry.contractWord(lane, claim.slot), keccak256(claim.descriptor))) {
            revert WrongDescriptor(claim.slot);
        }
        uint64 id = ContractDescriptor.vehicle(claim.descriptor);
        owner = vehicle.ownerOf(id);

        _takeForWithdrawal(lane, amount);
        // The sum is at most the lane's payments, which are below 2^96.
        _accounts[lane][claim.slot].withdrawn = uint96(account.withdrawn + amount);
        emit Withdrawn(lane, claim.slot, id, owner, amount);
    }
}
