/**
 * Options of `train` that stand where neither a flag nor a configuration file gives another. `standard` is the options' own
 * defaults; what is best on the sample, by docs/physics.md.
 */
export const trainPresets: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  standard: {},
  /**
   * arXiv:2301.04660, as far as text and the authors' code say: the loss, augmentations and features of the paper, an
   * encoder of the size that its tables give, an autoencoder on the end of its head. Numbers of epochs and events are left
   * to whoever trains: the paper had millions of events.
   */
  paper: {
    loss: 'anomclr+',
    temperature: 0.1,
    invarianceWeight: 1,
    anomalyWeight: 1,
    recipe: 'paper',
    ptFeature: 'linear',
    angles: 'phi',
    optimiser: 'adam',
    schedule: 'constant',
    warmup: 0,
    learningRate: 5e-5,
    batch: 128,
    clip: 0,
    width: 160,
    heads: 4,
    layers: 4,
    feedForward: 160,
    output: 160,
    headLayers: 2,
    dropout: 0.1,
    mask: 'hard',
    representation: 'last',
    sums: false,
    prepare: 'none',
    detector: 'autoencoder',
    detectorHidden: [256, 128, 64, 32, 16],
    bottleneck: 5,
  },
};

export const presetNames = ['standard', 'paper'] as const;
