/* Logistic regression with few columns, X in column-major order, in one pass: q = (alpha, beta). */
#include <math.h>

double log_density(const double **data, const double *restrict q, double *restrict g) {
    const double *restrict x = data[0], *restrict y = data[1];
    double alpha = q[0], likelihood = 0, total = 0, prior = alpha * alpha, products[K] = {0};
    for (int i = 0; i < N; i++) {
        double a = alpha;
        for (int k = 0; k < K; k++) a += x[(long)k * N + i] * q[1 + k];
        double e = exp(-fabs(a)), p = (a > 0 ? 1 : e) / (1 + e), r = y[i] - p;
        likelihood += y[i] * a - (a > 0 ? a : 0) - log1p(e);
        total += r;
        for (int k = 0; k < K; k++) products[k] += r * x[(long)k * N + i];
    }
    g[0] = total - alpha;
    for (int k = 0; k < K; k++) {
        prior += q[1 + k] * q[1 + k];
        g[1 + k] = products[k] - q[1 + k];
    }
    return likelihood - 0.5 * prior;
}
