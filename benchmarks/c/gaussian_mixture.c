/* Two normal components with ordered means, in one pass: q = (mu0, log (mu1 - mu0), log sigma, logit theta). */
#include <math.h>

double log_density(const double **data, const double *restrict q, double *restrict g) {
    const double *restrict y = data[0];
    double gap = exp(q[1]), mu0 = q[0], mu1 = mu0 + gap, sigma0 = exp(q[2]), sigma1 = exp(q[3]);
    double theta = 1 / (1 + exp(-q[4])), u0 = 1 / sigma0, u1 = 1 / sigma1;
    double c0 = log(theta) - q[2], c1 = log1p(-theta) - q[3];
    double likelihood = 0, weights = 0, sum0 = 0, sum1 = 0, squares0 = 0, squares1 = 0;
    for (int i = 0; i < N; i++) {
        double z0 = (y[i] - mu0) * u0, z1 = (y[i] - mu1) * u1;
        double a = c0 - 0.5 * z0 * z0, b = c1 - 0.5 * z1 * z1, d = a - b;
        double e = exp(-fabs(d)), w0 = (d > 0 ? 1 : e) / (1 + e), w1 = 1 - w0;
        likelihood += (d > 0 ? a : b) + log1p(e);
        weights += w0;
        sum0 += w0 * z0;
        sum1 += w1 * z1;
        squares0 += w0 * z0 * z0;
        squares1 += w1 * z1 * z1;
    }
    double d_mu0 = sum0 * u0 - mu0 / 4, d_mu1 = sum1 * u1 - mu1 / 4;
    g[0] = d_mu0 + d_mu1;
    g[1] = d_mu1 * gap + 1;
    g[2] = squares0 - weights - sigma0 * sigma0 / 4 + 1;
    g[3] = squares1 - (N - weights) - sigma1 * sigma1 / 4 + 1;
    g[4] = weights - N * theta + 5 - 10 * theta;
    return likelihood - (mu0 * mu0 + mu1 * mu1 + sigma0 * sigma0 + sigma1 * sigma1) / 8
        + 5 * (log(theta) + log1p(-theta)) + q[1] + q[2] + q[3];
}
