/* Linear regression, X in column-major order: q = (alpha, beta, log sigma). */
#include <math.h>

double log_density(const double **data, const double *restrict q, double *restrict g) {
    const double *restrict x = data[0], *restrict y = data[1];
    double alpha = q[0], sigma = exp(q[K + 1]), weight = 1 / (sigma * sigma);
    double squares = 0, total = 0, products[K] = {0}, prior = alpha * alpha;
    for (int i = 0; i < N; i++) {
        double r = y[i] - alpha;
        for (int k = 0; k < K; k++) r -= x[k * N + i] * q[1 + k];
        squares += r * r;
        total += r;
        for (int k = 0; k < K; k++) products[k] += r * x[k * N + i];
    }
    g[0] = total * weight - alpha;
    for (int k = 0; k < K; k++) {
        prior += q[1 + k] * q[1 + k];
        g[1 + k] = products[k] * weight - q[1 + k];
    }
    g[K + 1] = squares * weight - N - sigma * sigma + 1;
    return -0.5 * (squares * weight + prior + sigma * sigma) - N * q[K + 1] + q[K + 1];
}
