/** Programs with a wrong known size or dtype. */
import { type Tensor, zeros } from "netwright";

// error: matmul: inner dimensions 784 and 64 differ
zeros([32, 784]).matmul(zeros([64, 10]));
// error: matmul: inner dimensions 16 and 15 differ
zeros([8, 32, 16]).matmul(zeros([8, 15, 4]));
// error: matmul: batch dimensions: cannot broadcast (8,) with (7,): sizes 8 and 7 differ
zeros([8, 32, 16]).matmul(zeros([7, 16, 4]));
// error: add: cannot broadcast (32, 64) with (63,): sizes 64 and 63 differ
zeros([32, 64]).add(zeros([63]));
// error: add: cannot broadcast (32, 64) with (3,): sizes 64 and 3 differ
zeros([32, 64]).add([1, 2, 3]);
// error: sum: axis 2 is out of range for rank 2
zeros([32, 64]).sum(2);
// error: reshape: (32, 64) and (32, 63) have different numbers of elements
zeros([32, 64]).reshape([32, 63]);
// error: permute: 3 axes for a tensor of rank 2
zeros([32, 64]).permute([0, 1, 2]);
// error: permute: axis 2 is out of range for rank 2
zeros([32, 64]).permute([0, 2]);
// error: transpose: axis 2 is out of range for rank 2
zeros([32, 64]).transpose(0, 2);
// error: broadcastTo: (32, 64) does not broadcast to (32, 63)
zeros([32, 64]).broadcastTo([32, 63]);
// error: no dtype holds both u32 and i32: cast one of them first
zeros([3], { dtype: "u32" }).add(zeros([3], { dtype: "i32" }));
// error: Type '"i32"' is not assignable to type '"f32"'
export const dtype: Tensor<[3], "f32"> = zeros([3], { dtype: "i32" });
// error: Type '784' is not assignable to type '783'
export const size: Tensor<[number, 783]> = zeros([32, 784]);
// error: Operator '+' cannot be applied to types
export const plus = zeros([3]) + zeros([3]);
