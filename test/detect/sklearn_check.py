"""What scikit-learn makes of rows given as JSON on standard input; answers in JSON."""
import json
import sys

import numpy
from sklearn.covariance import EmpiricalCovariance
from sklearn.ensemble import IsolationForest
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import NearestNeighbors

given = json.load(sys.stdin)
x, queries = (numpy.array(given[name], numpy.float32) for name in ("x", "queries"))

covariance = EmpiricalCovariance().fit(x.astype(float))
distances, _ = NearestNeighbors(n_neighbors=10, algorithm="brute").fit(x).kneighbors(queries)
mixture = GaussianMixture(3, reg_covar=1e-4, tol=1e-9, max_iter=1000, n_init=5, random_state=1).fit(x.astype(float))
forest = IsolationForest(n_estimators=100, max_samples=256, random_state=1).fit(x)


def flat(tree):
    return {
        "feature": numpy.maximum(tree.feature, -1).tolist(),
        "threshold": tree.threshold.tolist(),
        "left": tree.children_left.tolist(),
        "right": tree.children_right.tolist(),
        "size": tree.n_node_samples.tolist(),
    }


json.dump(
    {
        "mahalanobis": covariance.mahalanobis(queries.astype(float)).tolist(),
        "neighbours": distances.mean(axis=1).tolist(),
        "mixture": mixture.score_samples(queries.astype(float)).tolist(),
        "trees": [flat(tree.tree_) for tree in forest.estimators_],
        "forest": (-forest.score_samples(queries)).tolist(),
    },
    sys.stdout,
)
