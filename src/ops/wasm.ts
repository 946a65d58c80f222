/** The wasm backend of TensorFlow.js, loaded where it is asked for. Its binaries lie beside what is made of this file. */
import '@tensorflow/tfjs-backend-wasm';
