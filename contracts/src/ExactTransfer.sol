// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";

/// @notice Takes tokens and insists on the whole amount: with a token that keeps a fee, pooled accounts would owe
/// more than the contract holds.
library ExactTransfer {
    using SafeERC20 for IERC20;

    error WrongAmountReceived(uint256 received, uint256 expected);

    function take(IERC20 token, address from, uint256 amount) internal {
        uint256 held = token.balanceOf(address(this));
        token.safeTransferFrom(from, address(this), amount);
        uint256 received = token.balanceOf(address(this)) - held;
        if (received != amount) revert WrongAmountReceived(received, amount);
    }
}
