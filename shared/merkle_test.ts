import { assert, assertEquals } from "@std/assert/mod.js";
import fc from "fast-check";
import { fromHex, toHex } from "./bytes.ts";
import { checkMerkleProof, leafHash, merkleProof, merkleRoot, nobleHash } from "./merkle.ts";

/** The test vectors of RFC 6962's reference implementation (certificate-transparency, merkletree). */
const INPUTS = [
  "",
  "00",
  "10",
  "2021",
  "3031",
  "40414243",
  "5051525354555657",
  "606162636465666768696a6b6c6d6e6f",
];
const ROOTS = [
  "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
  "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
  "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
  "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
  "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
  "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
  "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
  "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

Deno.test("merkleRoot() gives the published roots of RFC 6962's reference trees", () => {
  const leaves = INPUTS.map((hex) => leafHash(fromHex(hex)));
  for (const [i, root] of ROOTS.entries()) {
    assertEquals(toHex(merkleRoot(leaves.slice(0, i + 1))), root);
  }
});

Deno.test("checkMerkleProof() takes every leaf at its place and at no other", () => {
  fc.assert(fc.property(fc.integer({ min: 1, max: 40 }), fc.nat(), fc.nat(), (count, a, b) => {
    const leaves = Array.from({ length: count }, (_, i) => leafHash(Uint8Array.of(i)));
    const root = merkleRoot(leaves);
    const [index, other] = [a % count, b % count];
    const proof = merkleProof(leaves, index);
    assert(checkMerkleProof(leaves[index]!, { index, count }, proof, root));
    if (other === index) return;
    assert(!checkMerkleProof(leaves[index]!, { index: other, count }, proof, root));
    assert(!checkMerkleProof(leaves[other]!, { index, count }, proof, root));
  }));
});

Deno.test("checkMerkleProof() refuses a node passed off as a leaf (second preimage)", () => {
  const leaves = [1, 2, 3, 4].map((n) => leafHash(Uint8Array.of(n)));
  const root = merkleRoot(leaves);
  const left = nobleHash(Uint8Array.of(1), leaves[0]!, leaves[1]!);
  const right = nobleHash(Uint8Array.of(1), leaves[2]!, leaves[3]!);
  assert(!checkMerkleProof(left, { index: 0, count: 4 }, [right], root));
  const forged = new Uint8Array([...leaves[0]!, ...leaves[1]!]);
  assert(!checkMerkleProof(leafHash(forged), { index: 0, count: 2 }, [right], root));
});
