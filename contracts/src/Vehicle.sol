// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC721} from "@openzeppelin/contracts/token/ERC721/ERC721.sol";

/// @notice A vehicle; its owner is who gets paid. Open to anyone: a token is worth nothing until a lane enrols it, and
/// tokens can't be burned, so a contract's vehicle always has an owner.
contract Vehicle is ERC721 {
    error NoOwners();

    /// Newest token; ids run from 1. A descriptor holds 64 bits of it.
    uint64 public lastId;

    constructor() ERC721("Backfeed Vehicle", "BFV") {}

    function mint(address to) external returns (uint256 id) {
        id = ++lastId;
        // Not _safeMint: a callback here would buy nothing, the receiver asked for the token.
        _mint(to, id);
    }

    /// @notice Mints a token for each of `owners`, with rising ids from `firstId` on.
    function mintMany(address[] calldata owners) external returns (uint256 firstId) {
        if (owners.length == 0) revert NoOwners();
        uint64 id = lastId;
        firstId = id + 1;
        for (uint256 i = 0; i < owners.length; ++i) {
            _mint(owners[i], ++id);
        }
        lastId = id;
    }
}
