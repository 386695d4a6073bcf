/* Eight schools, non-centred: q = (z, mu, log tau). */
#include <math.h>

double log_density(const double **data, const double *restrict q, double *restrict g) {
    const double *restrict y = data[0], *restrict sigma = data[1];
    double mu = q[J], tau = exp(q[J + 1]), ratio = tau / 5;
    double squares = 0, d_mu = 0, d_tau = 0;
    for (int j = 0; j < J; j++) {
        double z = q[j], r = (y[j] - mu - tau * z) / sigma[j], e = r / sigma[j];
        squares += r * r + z * z;
        d_mu += e;
        d_tau += e * z;
        g[j] = e * tau - z;
    }
    double ratio_squared = ratio * ratio;
    g[J] = d_mu - mu / 25;
    g[J + 1] = d_tau * tau - 2 * ratio_squared / (1 + ratio_squared) + 1;
    return -0.5 * squares - mu * mu / 50 - log1p(ratio_squared) + q[J + 1];
}
