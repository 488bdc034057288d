// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice What the fraud verifier reads of the registries, the tariff and the vault, without the rules by which it comes about.
contract FakeL1 {
    mapping(uint32 lane => mapping(uint32 slot => bytes32)) internal _evses;
    mapping(uint32 lane => mapping(uint32 slot => bytes32)) internal _contracts;
    mapping(uint32 lane => mapping(uint32 version => bytes32)) public versionWord;
    mapping(uint32 lane => mapping(uint32 index => bytes32)) public checkpoint;
    mapping(uint32 zone => mapping(uint32 period => uint32)) public price;

    mapping(uint32 lane => mapping(uint64 count => bytes32)) public wordAt;

    error SlotOutOfRange(uint32 slot);

    function setEvse(uint32 lane, uint32 slot, bytes32 word) external {
        _evses[lane][slot] = word;
    }

    function setContract(uint32 lane, uint32 slot, bytes32 word) external {
        _contracts[lane][slot] = word;
    }

    function setVersion(uint32 lane, uint32 version, bytes32 word) external {
        versionWord[lane][version] = word;
    }

    function setCheckpoint(uint32 lane, uint32 index, bytes32 word) external {
        checkpoint[lane][index] = word;
    }

    function setEntryWord(uint32 lane, uint64 count, bytes32 word) external {
        wordAt[lane][count] = word;
    }

    function setPrice(uint32 zone, uint32 period, uint32 priceNano) external {
        price[zone][period] = priceNano;
    }

    function evseWords(uint32 lane, uint32[] calldata slots) external view returns (bytes32[] memory words) {
        words = new bytes32[](slots.length);
        for (uint256 i = 0; i < slots.length; i++) {
            if (slots[i] >= 1 << 20) revert SlotOutOfRange(slots[i]);
            words[i] = _evses[lane][slots[i]];
        }
    }

    function contractWords(uint32 lane, uint32[] calldata slots)
        external
        view
        returns (bytes32[] memory words)
    {
        words = new bytes32[](slots.length);
        for (uint256 i = 0; i < slots.length; i++) {
            if (slots[i] >= 1 << 20) revert SlotOutOfRange(slots[i]);
            words[i] = _contracts[lane][slots[i]];
        }
    }
}
