// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Finding, IFraudVerifier, LaneContext} from "../../src/interfaces/IFraudVerifier.sol";
import {Header} from "../../src/protocol/Header.sol";

/// @notice Stands in for the verifier in custody's tests: answers what it was told to, and refuses a context other than the
/// expected one.
contract VerifierDouble is IFraudVerifier {
    error UnexpectedContext();

    bytes31 public claimed;
    bytes31 public computed;
    bytes32 public expectedContext;
    bytes31 public preRoot;
    bytes public body;
    mapping(bytes32 place => Finding) private _findings;

    function answer(bytes31 claimed_, bytes31 computed_) external {
        claimed = claimed_;
        computed = computed_;
    }

    function expectContext(LaneContext calldata context) external {
        expectedContext = keccak256(abi.encode(context));
    }

    function find(bytes31 postRoot, uint32 chunk, uint32 row, Finding calldata finding) external {
        _findings[keccak256(abi.encode(postRoot, chunk, row))] = finding;
    }

    function inspect(
        Header calldata header,
        LaneContext calldata context,
        uint32 chunk,
        uint32 row,
        bytes calldata proof
    ) external view returns (Finding memory) {
        (bytes31 claimed_, bytes31 computed_) = execute(header, context, chunk, proof);
        if (claimed_ != computed_) revert FalseChunk(claimed_, computed_);
        return _findings[keccak256(abi.encode(header.postRoot, chunk, row))];
    }

    function execute(Header calldata, LaneContext calldata context, uint32, bytes calldata proof)
        public
        view
        returns (bytes31, bytes31)
    {
        // A witness that the real verifier would refuse.
        if (proof.length == 0) revert WrongOpening();
        if (expectedContext != 0 && keccak256(abi.encode(context)) != expectedContext) {
            revert UnexpectedContext();
        }
        return (claimed, computed);
    }

    function holdChunk(bytes31 preRoot_, bytes calldata body_) external {
        preRoot = preRoot_;
        body = body_;
    }

    function chunkAt(Header calldata, uint32, bytes calldata proof)
        external
        view
        returns (bytes31, bytes memory)
    {
        if (proof.length == 0) revert WrongOpening();
        return (preRoot, body);
    }
}
