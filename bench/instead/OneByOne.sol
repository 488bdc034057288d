// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// What one would write without a rollup: a record a transaction, its signature checked by P256VERIFY (EIP-7951), its credit kept in storage.
contract OneByOne {
    struct Evse {
        bytes32 x;
        bytes32 y;
        uint64 lastEnd;
    }

    error BadSignature();
    error Overlap(uint64 lastEnd);

    mapping(uint256 evse => Evse) public evses;
    mapping(uint256 contract_ => uint256) public creditOf;

    event Settled(uint256 indexed evse, uint256 indexed contract_, uint256 micro);

    function register(uint256 evse, bytes32 x, bytes32 y) external {
        evses[evse] = Evse(x, y, 0);
    }

    function settle(bytes calldata message, bytes32 r, bytes32 s) external {
        (uint256 evse, uint256 contract_, uint64 start, uint64 end, uint256 energyWh, uint256 priceNano) =
            abi.decode(message, (uint256, uint256, uint64, uint64, uint256, uint256));
        Evse storage known = evses[evse];
        if (start < known.lastEnd) revert Overlap(known.lastEnd);
        (, bytes memory answer) =
            address(0x100).staticcall(abi.encode(sha256(message), r, s, known.x, known.y));
        if (answer.length != 32) revert BadSignature();
        known.lastEnd = end;
        uint256 micro = energyWh * priceNano / 1000;
        creditOf[contract_] += micro;
        emit Settled(evse, contract_, micro);
    }
}
