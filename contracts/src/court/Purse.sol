// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

import {ExactTransfer} from "../ExactTransfer.sol";
import {ICourt} from "../interfaces/ICourt.sol";

/// @notice Bonds and rewards in the settlement token. A recipient that the token refuses must not keep a claim from being
/// decided, and an owner's money held: what can't be paid waits.
abstract contract Purse is ICourt, ReentrancyGuardTransient {
    using ExactTransfer for IERC20;
    using SafeERC20 for IERC20;

    /// Half of every forfeit goes here, or one could forfeit to oneself for free.
    address internal constant BURN = 0x000000000000000000000000000000000000dEaD;

    IERC20 public immutable token;
    mapping(address account => uint256) public dueOf;

    constructor(IERC20 token_) {
        token = token_;
    }

    function collect(address to) external nonReentrant {
        uint256 amount = dueOf[msg.sender];
        if (amount == 0) revert NothingDue(msg.sender);
        dueOf[msg.sender] = 0;
        emit Collected(msg.sender, to, amount);
        token.safeTransfer(to, amount);
    }

    function _take(address from, uint256 amount) internal {
        token.take(from, amount);
    }

    function _payOut(address to, uint256 amount) internal {
        if (amount == 0 || token.trySafeTransfer(to, amount)) return;
        dueOf[to] += amount;
        emit PaymentDue(to, amount);
    }

    /// @notice Half of a forfeit goes to `to`, the rest is burned.
    function _split(uint256 amount, address to) internal returns (uint256 reward) {
        reward = amount / 2;
        _payOut(to, reward);
        _payOut(BURN, amount - reward);
    }
}
