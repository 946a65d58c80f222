/** The one door to TensorFlow.js: every copy of it in a process shares one engine, so a backend opened here serves all. */
import * as tf from '@tensorflow/tfjs';

export default tf;
export type { Scalar, Tensor, Tensor1D, Tensor2D, Tensor3D, Tensor4D } from '@tensorflow/tfjs';
