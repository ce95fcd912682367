import { assert, assertEquals } from "@std/assert/mod.js";
import { concatBytes } from "./bytes.ts";
import { checkMerkleProof, leafHash, merkleProof, merkleRoot } from "./merkle.ts";
import { MerkleTree } from "./merkle_tree.ts";
import { nodeHash } from "./node/digest.ts";

Deno.test("MerkleTree has the root and the proofs of the recursive definition, for 1 to 40 leaves", () => {
  for (let count = 1; count <= 40; count++) {
    const leaves = Array.from({ length: count }, (_, i) => leafHash(Uint8Array.of(i), nodeHash));
    const tree = new MerkleTree(concatBytes(...leaves), nodeHash);
    const root = merkleRoot(leaves, nodeHash);
    assertEquals([tree.count, tree.root], [count, root]);
    for (let index = 0; index < count; index++) {
      const proof = tree.proof(index);
      assertEquals(proof, merkleProof(leaves, index, nodeHash), `leaf ${index} of ${count}`);
      assert(checkMerkleProof(tree.leaf(index), { index, count }, proof, root, nodeHash));
    }
  }
});
